//! Reading the feed as anything that speaks HTTP would.

use athanor_spec::{Hotkey, telemetry::Event};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use super::*;

const LOOPBACK: &str = "127.0.0.1:0";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn failed(reason: &str) -> Event {
    Event::RequestFailed {
        miner: Hotkey([1; 32]),
        reason: reason.to_owned(),
    }
}

async fn served(feed: &Feed) -> FeedServer {
    serve(LOOPBACK.parse().unwrap(), None, feed).await.unwrap()
}

/// A reader's end of a connection.
struct Client {
    stream: TcpStream,
    /// Body without its framing, as far as it was read.
    body: String,
}

impl Client {
    /// Asks, and gives the head of the answer.
    async fn ask(server: &FeedServer, path: &str, headers: &str) -> (String, Self) {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(stream.read_u8().await.unwrap()));
        }
        let body = String::new();
        (head, Self { stream, body })
    }

    /// An answer that ends: its head, and its body with the framing.
    async fn whole(server: &FeedServer, path: &str, headers: &str) -> (String, String) {
        let (head, mut client) = Self::ask(server, path, headers).await;
        client
            .stream
            .read_to_string(&mut client.body)
            .await
            .unwrap();
        (head, client.body)
    }

    /// A reader that gets to read.
    async fn reads(server: &FeedServer, path: &str, headers: &str) -> Self {
        let (head, mut client) = Self::ask(server, path, headers).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains("content-type: text/event-stream\r\n"),
            "{head}"
        );
        let greeting = client.until("retry: 2000\n\n").await;
        assert_eq!(greeting, "retry: 2000\n\n");
        client
    }

    /// Reads until this was said, and gives everything up to there.
    async fn until(&mut self, said: &str) -> String {
        loop {
            if let Some(at) = self.body.find(said) {
                let rest = self.body.split_off(at + said.len());
                return std::mem::replace(&mut self.body, rest);
            }
            let mut length = String::new();
            while !length.ends_with("\r\n") {
                length.push(char::from(self.stream.read_u8().await.unwrap()));
            }
            let length = usize::from_str_radix(length.trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            self.stream.read_exact(&mut chunk).await.unwrap();
            chunk.truncate(length);
            self.body.push_str(&String::from_utf8(chunk).unwrap());
        }
    }
}

/// What stands on the wire for this event.
fn frame(feed: &Feed, event: u64, reason: &str) -> String {
    let json = serde_json::to_string(&failed(reason)).unwrap();
    let run = feed.ring.run();
    format!("id: {run}-{event}\nevent: request_failed\ndata: {json}\n\n")
}

fn lagged(feed: &Feed, at: u64, missed: &str) -> String {
    let run = feed.ring.run();
    format!("id: {run}-{at}\nevent: lagged\ndata: {{\"lagged\":{{\"missed\":{missed}}}}}\n\n")
}

#[tokio::test]
async fn a_reader_gets_what_comes_and_what_was_kept_if_it_asks() {
    let feed = Feed::new();
    let server = served(&feed).await;
    feed.send(failed("a"));
    let mut now = Client::reads(&server, "/events", "").await;
    let mut all = Client::reads(&server, "/events?after=0", "").await;
    let second = frame(&feed, 2, "b");
    feed.send(failed("b"));
    assert_eq!(now.until(&second).await, second);
    let both = frame(&feed, 1, "a") + &second;
    assert_eq!(all.until(&second).await, both);
    assert_eq!(server.readers().now.get(), 2);
}

#[tokio::test]
async fn a_reader_comes_back_where_it_was() {
    let feed = Feed::new();
    let server = served(&feed).await;
    for reason in ["a", "b", "c"] {
        feed.send(failed(reason));
    }
    let run = feed.ring.run();
    let rest = frame(&feed, 2, "b") + &frame(&feed, 3, "c");
    let last = |id: &str| format!("Last-Event-ID: {id}\r\n");
    for (path, headers) in [
        ("/events", last(&format!("{run}-1"))),
        ("/events?after=1", String::new()),
        (&format!("/events?x=y&after={run}-1"), String::new()),
        // A browser goes on asking as it was told first.
        ("/events?after=0", last(&format!("{run}-1"))),
    ] {
        let mut client = Client::reads(&server, path, &headers).await;
        assert_eq!(client.until(&rest).await, rest, "{path} {headers}");
    }
    // What it has is of a run that ended, or of another daemon.
    for id in [format!("{}-2", run - 1), "rubbish".to_owned()] {
        let mut client = Client::reads(&server, "/events", &last(&id)).await;
        let all = lagged(&feed, 0, "null") + &frame(&feed, 1, "a") + &rest;
        assert_eq!(client.until(&rest).await, all, "{id}");
    }
    // From the future of this run nothing can come.
    let mut client = Client::reads(&server, "/events?after=99", "").await;
    feed.send(failed("d"));
    let next = frame(&feed, 4, "d");
    assert_eq!(client.until(&next).await, next);
}

#[tokio::test]
async fn who_falls_behind_hears_how_much_it_missed() {
    let feed = Feed::new();
    let server = served(&feed).await;
    for _ in 0..super::super::ROOM.events + 3 {
        feed.send(failed("a"));
    }
    let mut client = Client::reads(&server, "/events?after=0", "").await;
    let first = lagged(&feed, 3, "3") + &frame(&feed, 4, "a");
    assert_eq!(client.until(&frame(&feed, 4, "a")).await, first);
    assert_eq!(server.readers().missed.get(), 3);
}

#[tokio::test]
async fn a_silence_is_filled() {
    let feed = Feed::new();
    let server = served(&feed).await;
    let mut client = Client::reads(&server, "/events", "").await;
    tokio::time::pause();
    assert_eq!(client.until("\n\n").await, ": nothing new\n\n");
}

#[tokio::test]
async fn who_does_not_wait_gets_what_there_is_and_an_end() {
    let feed = Feed::new();
    let server = served(&feed).await;
    for path in ["/events?follow=no", "/events?after=0&follow=no"] {
        let (head, body) = Client::whole(&server, path, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(body.ends_with("\r\n0\r\n\r\n"), "{body}");
    }
    feed.send(failed("a"));
    let (_, body) = Client::whole(&server, "/events?after=0&follow=no", "").await;
    assert!(body.contains(&frame(&feed, 1, "a")), "{body}");
}

#[tokio::test]
async fn who_may_not_read_is_told_why() {
    let feed = Feed::new();
    let server = served(&feed).await;
    for (path, status, said) in [
        ("/", "404", "/events"),
        ("/events?after=x", "400", "id of an event"),
        ("/events?after=-1", "400", "id of an event"),
    ] {
        let (head, body) = Client::whole(&server, path, "").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert!(body.contains(said), "{body}");
    }
    let mut post = TcpStream::connect(server.address()).await.unwrap();
    post.write_all(b"POST /events HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    post.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[tokio::test]
async fn a_token_is_asked_for_and_others_never_read_without_one() {
    let feed = Feed::new();
    let error = serve("0.0.0.0:0".parse().unwrap(), None, &feed)
        .await
        .unwrap_err();
    assert!(matches!(error, ServeFeedError::Open { .. }), "{error}");
    assert!(error.to_string().contains("--feed.token"), "{error}");
    let open = serve("0.0.0.0:0".parse().unwrap(), Some(TOKEN), &feed).await;
    assert!(open.is_ok());
    let server = serve(LOOPBACK.parse().unwrap(), Some(TOKEN), &feed)
        .await
        .unwrap();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for headers in [
        String::new(),
        bearer(&TOKEN[1..]),
        bearer(&format!("{TOKEN}0")),
        format!("Authorization: {TOKEN}\r\n"),
    ] {
        for path in ["/events", "/"] {
            let (head, _) = Client::whole(&server, path, &headers).await;
            assert!(head.starts_with("HTTP/1.1 401"), "{head}");
            assert!(head.contains("www-authenticate: Bearer"), "{head}");
        }
    }
    Client::reads(&server, "/events", &bearer(TOKEN)).await;
    assert_eq!(server.readers().refused.get(), 8);
}

#[tokio::test]
async fn one_reader_too_many_is_refused_until_another_leaves() {
    let feed = Feed::new();
    let server = serve_within(LOOPBACK.parse().unwrap(), None, &feed, LIMITS, 1)
        .await
        .unwrap();
    let first = Client::reads(&server, "/events", "").await;
    let (head, _) = Client::whole(&server, "/events", "").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(head.contains("retry-after: 10"), "{head}");
    drop(first);
    while server.readers().now.get() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Client::reads(&server, "/events", "").await;
}

#[tokio::test]
async fn who_takes_nothing_is_hung_up_on() {
    let feed = Feed::new();
    let limits = Limits {
        stall: Duration::from_millis(200),
        ..LIMITS
    };
    let server = serve_within(LOOPBACK.parse().unwrap(), None, &feed, limits, 1)
        .await
        .unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stuck = socket.connect(server.address()).await.unwrap();
    stuck
        .write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    while server.readers().now.get() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let reason = "x".repeat(32 << 10);
    while server.readers().now.get() > 0 {
        feed.send(failed(&reason));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
