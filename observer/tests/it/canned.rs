//! A tiny AWS endpoint: a closure from request to answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One API call.
pub(crate) struct Call {
    pub(crate) parameters: BTreeMap<String, String>,
    /// From its signature.
    pub(crate) region: String,
    /// How many calls came before it.
    pub(crate) number: usize,
}

impl Call {
    pub(crate) fn action(&self) -> &str {
        &self.parameters["Action"]
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.parameters.get("NextToken").or(self.parameters.get("Marker")).map(String::as_str)
    }
}

/// What to do about it.
pub(crate) enum Answer {
    Ok(String),
    /// HTTP status and AWS error code.
    Error(u16, &'static str),
    /// Close the connection.
    HangUp,
    /// Never answer.
    Silence,
}

/// Serves until the test ends; its URL.
pub(crate) async fn serve(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            tokio::spawn(async move { while_open(stream, &*answer, &count).await });
        }
    });
    url
}

async fn while_open(stream: TcpStream, answer: &(dyn Fn(&Call) -> Answer + Send + Sync), count: &AtomicUsize) {
    let mut stream = BufReader::new(stream);
    while let Some((region, body)) = request(&mut stream).await {
        let call = Call { parameters: decoded(&body), region, number: count.fetch_add(1, Ordering::SeqCst) };
        let (status, body) = match answer(&call) {
            Answer::Ok(body) => (200, body),
            Answer::Error(status, code) => (status, error_of(call.action(), code)),
            Answer::HangUp => return,
            Answer::Silence => return std::future::pending().await,
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.get_mut().write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The region it was signed for, and the body.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let (mut region, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((line.trim(), ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => region = value.split('/').nth(2).unwrap_or_default().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((region, String::from_utf8(body).ok()?))
}

/// Form parameters; none of ours needs more than colons decoded.
fn decoded(body: &str) -> BTreeMap<String, String> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.replace("%3A", ":"))).collect()
}

fn error_of(action: &str, code: &str) -> String {
    if action.contains("DB") || action == "GetCallerIdentity" {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        )
    } else {
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors><RequestID>1</RequestID></Response>"
        )
    }
}

/// The answer that says whose credentials these are.
pub(crate) fn identity() -> Answer {
    let account = crate::collect::ACCOUNT;
    Answer::Ok(format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    ))
}

/// A page of VPCs.
pub(crate) fn vpcs(ids: &[&str], next: Option<&str>) -> Answer {
    let items: String =
        ids.iter().map(|id| format!("<item><vpcId>{id}</vpcId><state>available</state></item>")).collect();
    let next = next.map(|next| format!("<nextToken>{next}</nextToken>")).unwrap_or_default();
    Answer::Ok(format!(
        "<DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><vpcSet>{items}</vpcSet>{next}</DescribeVpcsResponse>"
    ))
}
