//! Reading what daemons serve, and what else may answer.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
};

use athanor_spec::Hotkey;

use super::*;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

fn event(reason: &str) -> Event {
    Event::RequestFailed {
        miner: Hotkey([1; 32]),
        reason: reason.to_owned(),
    }
}

fn frame(id: &str, reason: &str) -> String {
    let data = serde_json::to_string(&event(reason)).unwrap();
    format!("id: {id}\nevent: request_failed\ndata: {data}\n\n")
}

#[test]
fn an_address_is_checked_and_completed() {
    let url = |text: &str| text.parse::<Feed>().map(|feed| feed.url().to_owned());
    for (text, expected) in [
        ("http://127.0.0.1:9617", "http://127.0.0.1:9617/events"),
        ("http://127.0.0.1:9617/", "http://127.0.0.1:9617/events"),
        ("https://h/miner/feed", "https://h/miner/feed"),
        ("http://[::1]:1/events", "http://[::1]:1/events"),
    ] {
        assert_eq!(url(text).as_deref(), Ok(expected));
    }
    for wrong in [
        "",
        "h",
        "127.0.0.1:9617",
        "ftp://h",
        "http://",
        "http://h/?after=1",
    ] {
        let error = url(wrong).unwrap_err();
        assert!(error.to_string().contains("9617"), "{error}");
    }
}

#[test]
fn a_stream_means_the_same_however_it_is_cut() {
    let text = format!(
        "retry: 2000\n\n: nothing new\n\n{}{}id: 1-3\ndata:a\r\ndata: b\r\n\r\nevent: x\n\nid",
        frame("1-1", "a"),
        frame("1-2", "ü")
    );
    let whole = Lines::default().push(text.as_bytes()).unwrap();
    let ids: Vec<&str> = whole.iter().map(|said| said.id.as_str()).collect();
    assert_eq!(ids, ["1-1", "1-2", "1-3"]);
    assert_eq!(whole[0].name, "request_failed");
    assert_eq!(whole[2].data, "a\nb");
    for size in 1..text.len() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            found.extend(lines.push(piece).unwrap());
        }
        assert_eq!(found, whole, "in pieces of {size}");
    }
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let mut lines = Lines::default();
    let chunk = vec![b'x'; CHUNK];
    let refused = (0..1000).find_map(|_| lines.push(&chunk).err());
    assert_eq!(refused, Some(TooLong));
    let mut lines = Lines::default();
    let refused = (0..1000).find_map(|_| lines.push(&[b"data:", &chunk[..], b"\n"].concat()).err());
    assert_eq!(refused, Some(TooLong));
}

#[test]
fn what_is_missing_or_not_known_is_said() {
    let said = |name: &str, data: &str| {
        let said = Said {
            name: name.to_owned(),
            data: data.to_owned(),
            ..Said::default()
        };
        match said.update() {
            Update::EventsTrouble { reason } => reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(said("lagged", r#"{"lagged":{"missed":7}}"#).starts_with("7 events"));
    assert!(said("lagged", r#"{"lagged":{"missed":null}}"#).contains("started anew"));
    assert!(said("new\u{7}er", "{}").contains("`newer`"));
}

/// Answers one request with this, after the head of the request was read, and gives that.
fn answer(listener: &TcpListener, text: &str) -> (String, TcpStream) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") {
        lines.read_line(&mut head).unwrap();
    }
    stream.write_all(text.as_bytes()).unwrap();
    (head, stream)
}

#[tokio::test]
async fn a_reader_comes_back_where_it_was_and_says_how_it_stands() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let feed: Feed = url.parse().unwrap();
    let (send, mut updates) = mpsc::channel(16);
    watch(feed.with_token(Some("secret".into())), send).unwrap();
    let serving = thread::spawn(move || {
        let (first, _) = answer(&listener, &(HEAD.to_owned() + &frame("5-7", "a")));
        let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 9\r\n\r\nno\ntoken\n";
        let (second, _) = answer(&listener, refusal);
        let (third, stream) = answer(&listener, &(HEAD.to_owned() + &frame("5-8", "b")));
        ([first, second, third], stream)
    });
    let mut seen = Vec::new();
    while seen.len() < 9 {
        seen.push(match updates.recv().await.unwrap() {
            Update::Event(Event::RequestFailed { reason, .. }) => reason,
            Update::Feed { url: of, link } => {
                assert_eq!(of, format!("{url}/events"));
                match link {
                    Link::Lost { reason } if reason.contains("401") => {
                        assert!(reason.contains("no token"), "{reason}");
                        "refused".to_owned()
                    }
                    Link::Lost { .. } => "lost".to_owned(),
                    link => format!("{link:?}"),
                }
            }
            other => panic!("{other:?}"),
        });
    }
    let expected = "Connecting Live a lost Connecting refused Connecting Live b";
    assert_eq!(seen.join(" "), expected);
    let (heads, _) = serving.join().unwrap();
    for head in &heads {
        let head = head.to_lowercase();
        assert!(head.starts_with("get /events?after=0 "), "{head}");
        assert!(head.contains("authorization: bearer secret\r\n"), "{head}");
    }
    assert!(!heads[0].to_lowercase().contains("last-event-id"));
    assert!(heads[2].to_lowercase().contains("last-event-id: 5-7\r\n"));
}

#[tokio::test]
async fn what_is_kept_is_read_at_once_and_who_is_no_feed_is_told_of() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let feed: Feed = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let serving = thread::spawn(move || {
        let (head, _) = answer(&listener, &(HEAD.to_owned() + &frame("1-1", "a")));
        answer(&listener, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
        head
    });
    assert_eq!(read_feed(feed.clone()).await.unwrap(), [event("a")]);
    let error = read_feed(feed.clone()).await.unwrap_err().to_string();
    assert!(error.contains("no feed"), "{error}");
    assert!(serving.join().unwrap().contains("?after=0&follow=no "));
    let error = read_feed(feed.clone()).await.unwrap_err().to_string();
    assert!(error.contains(feed.url()), "{error}");
}
