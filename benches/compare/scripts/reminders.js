// Reminders as one writes them with nodemailer: the rows, a pool of connections, a note of each mail that was taken.
//
// Arguments: the SQLite file, the mail server's port, the number of connections, the folder of the texts.

const { execFileSync, spawn } = require('child_process');
const fs = require('fs');
const nodemailer = require('nodemailer');

const [database, port, connections, texts] = process.argv.slice(2);

const DUE = `SELECT s.id AS session, u.id AS user, u.name, u.email FROM course_sessions s
    JOIN enrollments e ON e.course_id = s.course_id AND e.status = 'active'
    JOIN users u ON u.id = e.user_id AND u.status = 'active' AND u.deleted_at IS NULL
    WHERE s.scheduled_at BETWEEN datetime('now', '+55 minutes') AND datetime('now', '+65 minutes')
    AND NOT EXISTS (SELECT * FROM mail_log l WHERE l.session_id = s.id AND l.user_id = u.id)
    ORDER BY s.scheduled_at`;

// node:sqlite came with Node 22.5; without it, the shell does the same, kept open for the notes.
function open() {
  try {
    const { DatabaseSync } = require('node:sqlite');
    const db = new DatabaseSync(database);
    db.exec('PRAGMA synchronous = FULL');
    const note = db.prepare("INSERT INTO mail_log VALUES (?, ?, datetime('now'))");
    return { due: db.prepare(DUE).all(), note: row => note.run(row.session, row.user), close: () => db.close() };
  } catch (error) {
    if (error.code !== 'ERR_UNKNOWN_BUILTIN_MODULE') throw error;
  }
  const rows = execFileSync('sqlite3', ['-json', database, DUE], { maxBuffer: 1 << 30 }).toString();
  const shell = spawn('sqlite3', [database], { stdio: ['pipe', 'inherit', 'inherit'] });
  shell.stdin.write('PRAGMA synchronous = FULL;\n');
  const note = row => shell.stdin.write(`INSERT INTO mail_log VALUES (${row.session}, ${row.user}, datetime('now'));\n`);
  return { due: rows ? JSON.parse(rows) : [], note, close: () => shell.stdin.end() };
}

async function main() {
  const read = name => fs.readFileSync(`${texts}/${name}`, 'utf8');
  const [subject, text, html] = ['subject', 'text', 'html'].map(read);
  const invitation = fs.existsSync(`${texts}/calendar`) && read('calendar');
  const transport = nodemailer.createTransport({
    host: '127.0.0.1', port: Number(port), secure: false, ignoreTLS: true,
    pool: true, maxConnections: Number(connections), maxMessages: Infinity,
  });
  const { due, note, close } = open();
  await Promise.all(due.map(async row => {
    const named = template => template.replaceAll('{name}', row.name);
    const mail = {
      from: '"Kursus Kita" <halo@kursuskita.test>', to: { name: row.name, address: row.email },
      subject: named(subject), text: named(text), html: named(html),
    };
    const entry = invitation && { filename: 'session.ics', content: named(invitation), contentType: 'text/calendar; charset=utf-8' };
    if (entry) mail.attachments = [entry];
    await transport.sendMail(mail);
    note(row);
  }));
  transport.close();
  close();
}

main();
