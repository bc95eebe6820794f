// Says of every frame how wide its mail is, what can be read in it, and what can hardly be read.
const channels = (color) => color.match(/[\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const contrast = (one, other) => {
  const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const behind = (view, element) => {
  for (; element; element = element.parentElement) {
    const color = channels(view.getComputedStyle(element).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color;
  }
  return [127, 127, 127];
};
// WCAG 2, level AA.
const faint = (view, body) => {
  const found = [], nodes = view.document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const { data, parentElement } = nodes.currentNode;
    const color = channels(view.getComputedStyle(parentElement).color);
    if (data.trim() && contrast(color, behind(view, parentElement)) < 4.5) found.push(data.trim());
  }
  return found;
};
const look = (frame) => {
  const view = frame.contentWindow, { documentElement: root, body } = view.document;
  const rights = [...body.querySelectorAll('*')].map((one) => one.getBoundingClientRect().right);
  return {
    inner: view.innerWidth,
    wide: Math.ceil(Math.max(root.scrollWidth, ...rights)),
    dark: view.matchMedia('(prefers-color-scheme: dark)').matches,
    ground: view.getComputedStyle(body).backgroundColor,
    text: body.innerText,
    faint: faint(view, body),
  };
};
onload = () => {
  const seen = [...document.querySelectorAll('iframe')].map(look);
  document.body.textContent = `seen=${encodeURIComponent(JSON.stringify(seen))}`;
};
