//! Too much, too slowly, or without end.

use std::time::Duration;

use leadflow_outbound_http::{Failure, FailureKind, Options};
use leadflow_testkit::hostile::{Hostile, Manner};

use super::{PATIENCE, client, hung_up, options, post, serve};

/// More than the sockets' buffers take: what a server has got rid of beyond that was read.
const BUFFERED: usize = 16 << 20;

/// Asks with ever more time until the answer has begun, however busy the machine: the deadline has to end it each time.
async fn timed_out_after(server: &Hostile, begun: impl Fn(&Failure) -> bool) -> Failure {
    let mut total_timeout = Duration::from_millis(500);
    loop {
        let failure = post(&client(Options { total_timeout, ..options() }), &server.url("/")).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::TimedOut);
        assert!(failure.duration >= total_timeout);
        if begun(&failure) {
            return failure;
        }
        total_timeout *= 4;
        assert!(total_timeout < PATIENCE, "{failure:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let server = serve(Manner::Silent).await;
    let failure = timed_out_after(&server, |_| !server.requests().is_empty()).await;
    assert_eq!(failure.status, None);
    hung_up(&server).await;
}

#[tokio::test]
async fn a_header_that_drips_times_out() {
    let server = serve(Manner::DrippingHead).await;
    let failure = timed_out_after(&server, |_| server.written() > 30).await;
    assert_eq!(failure.status, None);
    hung_up(&server).await;
}

#[tokio::test]
async fn the_deadline_holds_to_the_last_byte() {
    let server = serve(Manner::DrippingBody).await;
    timed_out_after(&server, |failure| failure.status == Some(200)).await;
    hung_up(&server).await;
}

#[tokio::test]
async fn interim_answers_without_end_time_out_and_are_not_kept() {
    let server = serve(Manner::EndlessInterim).await;
    let failure = timed_out_after(&server, |_| server.written() > 0).await;
    assert_eq!(failure.status, None);
    hung_up(&server).await;
}

#[tokio::test]
async fn a_few_interim_answers_are_passed_over() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 201 x\r\n\
                Content-Length: 2\r\n\r\nok";
    let server = serve(Manner::Answer(text.into())).await;
    let answer = post(&client(options()), &server.url("/")).await.unwrap();
    assert_eq!((answer.status, answer.body.as_ref()), (201, b"ok".as_ref()));
}

#[tokio::test]
async fn a_change_of_protocol_is_an_answer_like_any_other() {
    let server = serve(Manner::answer("HTTP/1.1 101 x\nUpgrade: websocket\nConnection: upgrade", b"")).await;
    let answer = post(&client(options()), &server.url("/")).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (101, 0));
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_cap_and_hung_up_on() {
    let server = serve(Manner::EndlessBody).await;
    let answer = post(&client(Options { body_cap: 10_000, ..options() }), &server.url("/")).await.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.truncated), (200, 10_000, true));
    hung_up(&server).await;
    assert!(server.written() < BUFFERED, "{} bytes", server.written());
}

#[tokio::test]
async fn a_body_that_hides_its_length_in_extensions_of_chunks_is_an_error() {
    let server = serve(Manner::EndlessChunks).await;
    let failure = post(&client(options()), &server.url("/")).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Transport(_)), "{failure:?}");
    assert_eq!(failure.status, Some(200));
    hung_up(&server).await;
    assert!(server.written() < BUFFERED, "{} bytes", server.written());
}

#[tokio::test]
async fn a_body_in_a_compressed_form_is_left_so() {
    // What a bomb of 10 MB of zeros begins with: nobody asked for it, and nobody unpacks it.
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xec, 0xc1, 1, 1, 0, 0];
    let head = format!("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: {}", packed.len());
    let server = serve(Manner::answer(&head, &packed)).await;
    let answer = post(&client(options()), &server.url("/")).await.unwrap();
    assert_eq!(answer.body.as_ref(), packed);
    assert!(!server.requests()[0].to_lowercase().contains("accept-encoding"), "{}", server.requests()[0]);
}

#[tokio::test]
async fn too_many_headers_are_an_error() {
    let many: String = (0..200).map(|n| format!("x-{n}: y\n")).collect();
    let server = serve(Manner::answer(&format!("HTTP/1.1 200 OK\nContent-Length: 0\n{many}"), b"")).await;
    let failure = post(&client(options()), &server.url("/")).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Transport(_)), "{failure:?}");
}

#[tokio::test]
async fn headers_without_end_are_an_error_and_hung_up_on() {
    for manner in [Manner::EndlessHeaders, Manner::EndlessHeader] {
        let server = serve(manner.clone()).await;
        let failure = post(&client(options()), &server.url("/")).await.unwrap_err();
        assert!(matches!(failure.kind, FailureKind::Transport(_)), "{manner:?}: {failure:?}");
        hung_up(&server).await;
        assert!(server.written() < BUFFERED, "{manner:?}: {} bytes", server.written());
    }
}
