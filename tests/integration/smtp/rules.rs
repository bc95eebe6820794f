//! What makes a command's path or a mail unacceptable to a strict server.

/// What MAIL and RCPT have said.
#[derive(Default)]
pub(super) struct Transaction {
    pub from: String,
    pub to: Vec<String>,
    /// `BODY=8BITMIME` was announced.
    pub eight_bit: bool,
    pub smtputf8: bool,
}

/// `FROM:<address> parameters`; exactly one address, with nothing in it that could hide a second.
pub(super) fn path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (start, rest) = argument.split_at_checked(keyword.len())?;
    let (address, rest) = rest.strip_prefix('<')?.split_once('>')?;
    let parameters = if rest.is_empty() {
        rest
    } else {
        rest.strip_prefix(' ')?
    };
    let (local, domain) = address.split_once('@')?;
    let strange = |c: char| c.is_whitespace() || c.is_control() || ",;<@".contains(c);
    let good = start.eq_ignore_ascii_case(keyword)
        && !local.is_empty()
        && !domain.is_empty()
        && !local.contains(strange)
        && !domain.contains(strange);
    good.then_some((address, parameters))
}

/// Why a strict server would refuse these lines of a mail.
pub(super) fn defect(lines: &[Vec<u8>], transaction: &Transaction) -> Option<String> {
    let mut in_body = false;
    for (i, line) in lines.iter().enumerate() {
        let number = i + 1;
        in_body |= line.is_empty();
        if line.iter().any(|byte| b"\r\n\0".contains(byte)) {
            return Some(format!(
                "554 5.6.0 Bare CR, bare LF or NUL in line {number}"
            ));
        }
        if line.len() > 998 {
            return Some(format!("554 5.6.0 Line {number} has over 998 octets"));
        }
        if !line.is_ascii() && in_body && !transaction.eight_bit {
            return Some(format!(
                "554 5.6.1 8-bit text in line {number} without BODY=8BITMIME"
            ));
        }
        if !line.is_ascii() && !in_body && !transaction.smtputf8 {
            return Some(format!(
                "554 5.6.7 8-bit header in line {number} without SMTPUTF8"
            ));
        }
    }
    None
}
