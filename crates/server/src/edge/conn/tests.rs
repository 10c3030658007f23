use super::*;
use tokio::net::TcpListener;

/// A connection of which at most so many bytes may wait, and its other end.
async fn connection(outbound_bytes_max: usize) -> (Conn, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (here, _) = listener.accept().await.unwrap();
    (Conn::new(here, Watch::Client, 0, Arc::default(), outbound_bytes_max), there)
}

#[tokio::test]
async fn what_is_put_together_is_not_taken_for_what_is_not_read() {
    let (conn, there) = connection(2 * CORKED_BYTES_MAX).await;
    let line = [b'.'; 1_000];
    let all = 4 * CORKED_BYTES_MAX / line.len() * line.len();
    conn.cork();
    (0..all / line.len()).for_each(|_| conn.write(&line));
    assert!(!conn.is_ending(), "the kernel had room for all of it");
    assert!(conn.waiting() > 0, "the last of it is put together still");
    conn.uncork();
    assert_eq!((conn.given(), conn.taken(), conn.waiting()), (all as u64, all as u64, 0));
    there.readable().await.unwrap();
}

#[tokio::test]
async fn who_does_not_read_is_cut() {
    let (conn, _there) = connection(2 * CORKED_BYTES_MAX).await;
    let piece = vec![b'.'; CORKED_BYTES_MAX];
    let writes = (0..10_000).take_while(|_| {
        conn.write(&piece);
        !conn.is_ending()
    });
    assert!(writes.count() < 10_000, "nobody reads, and nothing bounds what waits");
    assert!(conn.waiting() <= 2 * CORKED_BYTES_MAX);
}
