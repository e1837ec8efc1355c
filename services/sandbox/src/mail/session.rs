//! One SMTP connection (RFC 5321), as far as clients need it. Every line and message is bounded, and so is the time
//! between them.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    time::timeout,
};

use crate::Sandbox;

/// The longest line of a command, and of a mail.
const MAX_LINE: u64 = 4_096;
/// The largest mail.
const MAX_MAIL: usize = 1 << 20;
const MAX_RECIPIENTS: usize = 100;
/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(60);

/// What has been said of the mail to come.
#[derive(Default)]
struct Coming {
    from: Option<String>,
    to: Vec<String>,
}

/// Talks until the client leaves.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, sandbox: &Sandbox) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, "220 sandbox ESMTP").await?;
    let mut coming = Coming::default();
    while let Some(line) = line(&mut stream).await? {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => format!("250-sandbox\r\n250-SIZE {MAX_MAIL}\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN"),
            "HELO" => "250 sandbox".to_owned(),
            // Whoever it is: nothing here is worth a password.
            "AUTH" => authenticate(&mut stream, rest).await?,
            "MAIL" => {
                coming = Coming { from: address(rest), to: Vec::new() };
                "250 go on".to_owned()
            }
            "RCPT" => match address(rest) {
                _ if coming.from.is_none() => "503 MAIL first".to_owned(),
                Some(_) if coming.to.len() == MAX_RECIPIENTS => "452 too many recipients".to_owned(),
                Some(to) => match sandbox.mails().react(&to) {
                    Some(refusal) => refusal,
                    None => {
                        coming.to.push(to);
                        "250 go on".to_owned()
                    }
                },
                None => "501 no address".to_owned(),
            },
            "DATA" if coming.to.is_empty() => "503 RCPT first".to_owned(),
            "DATA" => {
                say(&mut stream, "354 end with a dot").await?;
                let Coming { from, to } = std::mem::take(&mut coming);
                match data(&mut stream).await? {
                    Some(raw) => {
                        let now = sandbox.clock.now();
                        sandbox.mails().take(from.unwrap_or_default(), to, &raw, now);
                        "250 taken".to_owned()
                    }
                    None => "552 too large".to_owned(),
                }
            }
            "RSET" => {
                coming = Coming::default();
                "250 go on".to_owned()
            }
            "NOOP" => "250 go on".to_owned(),
            "QUIT" => return say(&mut stream, "221 bye").await,
            _ => "502 not known here".to_owned(),
        };
        say(&mut stream, &answer).await?;
    }
    Ok(())
}

async fn say(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>, text: &str) -> io::Result<()> {
    let bytes = format!("{text}\r\n");
    timeout(PATIENCE, stream.get_mut().write_all(bytes.as_bytes())).await?
}

/// The next line with its end; `None` when the client has left.
async fn line(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = timeout(PATIENCE, stream.take(MAX_LINE).read_until(b'\n', &mut line)).await??;
    if read > 0 && line.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long or has no end"));
    }
    Ok((read > 0).then_some(line))
}

/// A mail up to its final dot; `None` when it was too large.
async fn data(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> io::Result<Option<Vec<u8>>> {
    let (mut raw, mut fits) = (Vec::new(), true);
    loop {
        let line = line(stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line == b".\r\n" || line == b".\n" {
            return Ok(fits.then_some(raw));
        }
        let line = line.strip_prefix(b".").unwrap_or(&line);
        fits &= raw.len() + line.len() <= MAX_MAIL;
        if fits {
            raw.extend_from_slice(line);
        }
    }
}

async fn authenticate(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>, rest: &str) -> io::Result<String> {
    let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
    let questions = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => usize::from(initial.is_empty()),
        "LOGIN" => {
            if initial.is_empty() {
                2
            } else {
                1
            }
        }
        _ => return Ok("504 not known here".to_owned()),
    };
    for _ in 0..questions {
        say(stream, "334 ").await?;
        line(stream).await?;
    }
    Ok("235 welcome".to_owned())
}

/// What is between `<` and `>`; the empty sender is an address, too.
fn address(rest: &str) -> Option<String> {
    let (_, rest) = rest.split_once('<')?;
    rest.split_once('>').map(|(address, _)| address.to_owned())
}
