//! A server that does as scripted, byte by byte.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

#[derive(Clone, Copy)]
pub enum Script {
    /// These bytes; then it closes unless the client does.
    Answer(&'static str),
    /// Reads the request and says nothing.
    Hang,
    /// One byte of the body every 50 ms, for ever.
    Drip,
    /// Body without end, as fast as it is read.
    Endless,
    /// Header lines without end.
    EndlessHeaders,
}

pub struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    hung_up: Arc<Notify>,
}

impl Server {
    pub fn port(&self) -> u16 {
        self.port
    }
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
    /// Returns once a write to the client has failed.
    pub async fn hung_up_on(&self) {
        tokio::time::timeout(Duration::from_secs(60), self.hung_up.notified()).await.unwrap();
    }
}

pub async fn serve(script: Script) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server { port, requests: Arc::default(), hung_up: Arc::default() };
    let (requests, hung_up) = (server.requests.clone(), server.hung_up.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (requests, hung_up) = (requests.clone(), hung_up.clone());
            tokio::spawn(async move {
                if play(stream, script, &requests).await.is_err() {
                    hung_up.notify_one();
                }
            });
        }
    });
    server
}

async fn play(mut stream: TcpStream, script: Script, requests: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let read = stream.read(&mut buffer).await?;
    let mut request = String::from_utf8_lossy(&buffer[..read]).into_owned();
    // Head and body may come in two packets.
    while request.starts_with("POST") && !request.ends_with('}') {
        let more = stream.read(&mut buffer).await?;
        if more == 0 {
            break;
        }
        request.push_str(&String::from_utf8_lossy(&buffer[..more]));
    }
    if read > 0 && request.starts_with("POST") {
        requests.lock().unwrap().push(request);
    }
    match script {
        Script::Answer(text) => stream.write_all(text.as_bytes()).await,
        Script::Hang => stream.read(&mut buffer).await.map(drop),
        Script::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await?;
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            loop {
                tick.tick().await;
                stream.write_all(b"x").await?;
            }
        }
        Script::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n").await?;
            loop {
                stream.write_all(&[b'x'; 8192]).await?;
            }
        }
        Script::EndlessHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream.write_all(format!("x-long: {}\r\n", "y".repeat(8000)).as_bytes()).await?;
            }
        }
    }
}
