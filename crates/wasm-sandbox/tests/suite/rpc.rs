//! Channels: the same behaviour in memory, over a Unix socket and over TCP.

use std::sync::Arc;
use std::time::Duration;

use wasm_sandbox::rpc::{
    MemoryChannel, RpcChannel, RpcChannelExt, StreamChannel, StreamListener, memory_channel,
    memory_channel_with,
};
use wasm_sandbox::{Error, Limit, create_memory_channel};

use crate::fixtures::executor;

type Ends = (Arc<dyn RpcChannel>, Arc<dyn RpcChannel>);

/// Every kind of channel.
async fn all_kinds() -> Vec<Ends> {
    let (a, b) = memory_channel(8).expect("a channel");
    let mut kinds: Vec<Ends> = vec![(Arc::new(a), Arc::new(b))];
    let listener = StreamListener::bind_loopback(0).await.expect("a port");
    let port = listener.address().expect("a port").port();
    let (there, here) = tokio::join!(StreamChannel::connect_loopback(port), listener.accept());
    kinds.push((
        Arc::new(there.expect("connected")),
        Arc::new(here.expect("accepted")),
    ));
    #[cfg(unix)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let listener = StreamListener::bind_unix(&path).expect("a socket");
        let (there, here) = tokio::join!(StreamChannel::connect_unix(&path), listener.accept());
        kinds.push((
            Arc::new(there.expect("connected")),
            Arc::new(here.expect("accepted")),
        ));
    }
    kinds
}

#[test]
fn messages_arrive_whole_and_in_order() {
    executor().block_on(async {
        for (a, b) in all_kinds().await {
            let sender = tokio::spawn(async move {
                for number in 0..1000u32 {
                    a.send(&(number, "x".repeat(number as usize % 50)))
                        .await
                        .expect("sent");
                }
            });
            for expected in 0..1000u32 {
                let (number, text): (u32, String) =
                    b.receive().await.expect("fine").expect("a message");
                assert_eq!((number, text.len()), (expected, expected as usize % 50));
            }
            sender.await.expect("the sender");
            assert_eq!(b.receive::<u32>().await.expect("an orderly end"), None);
        }
    });
}

#[test]
fn many_calls_at_once_each_get_their_own_answer() {
    executor().block_on(async {
        for (a, b) in all_kinds().await {
            let server = tokio::spawn(async move {
                b.serve(|method, number: u64| async move {
                    // Later calls finish earlier.
                    tokio::time::sleep(Duration::from_millis(40 - number % 40)).await;
                    match method.as_str() {
                        "double" => Ok(number * 2),
                        "panic" => panic!("on purpose"),
                        _ => Err(format!("there is no method `{method}`")),
                    }
                })
                .await
            });
            let calls = (0..200u64).map(|number| {
                let a = a.clone();
                tokio::spawn(async move {
                    let answer: u64 = a.call("double", &number).await.expect("answered");
                    assert_eq!(answer, number * 2);
                })
            });
            for call in calls.collect::<Vec<_>>() {
                call.await.expect("a call");
            }
            let unknown = a.call::<_, u64>("halve", &1).await;
            assert!(matches!(&unknown, Err(Error::Remote { reason, .. }) if reason.contains("`halve`")), "{unknown:?}");
            let panicked = a.call::<_, u64>("panic", &1).await;
            assert!(matches!(&panicked, Err(Error::Remote { reason, .. }) if reason.contains("panicked")));
            let wrong = a.call::<_, u64>("double", "text").await;
            assert!(matches!(wrong, Err(Error::Remote { .. })), "{wrong:?}");
            drop(a);
            server.await.expect("the server").expect("a peer that goes away is no error");
        }
    });
}

#[test]
fn both_ends_call_at_the_same_time() {
    executor().block_on(async {
        for (a, b) in all_kinds().await {
            let serve = |end: Arc<dyn RpcChannel>, add: u64| {
                tokio::spawn(
                    async move { end.serve(move |_, n: u64| async move { Ok(n + add) }).await },
                )
            };
            let servers = [serve(a.clone(), 1), serve(b.clone(), 100)];
            for number in 0..50u64 {
                let (there, here) = tokio::join!(
                    a.call::<_, u64>("f", &number),
                    b.call::<_, u64>("f", &number)
                );
                assert_eq!(
                    (there.expect("b answers"), here.expect("a answers")),
                    (number + 100, number + 1)
                );
            }
            for server in servers {
                server.abort();
            }
        }
    });
}

#[test]
fn a_dropped_call_is_forgotten_and_disturbs_nobody() {
    executor().block_on(async {
        for (a, b) in all_kinds().await {
            let server = tokio::spawn(async move {
                b.serve(|_, millis: u64| async move {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    Ok(millis)
                })
                .await
            });
            for _ in 0..20 {
                let slow = a.call::<_, u64>("sleep", &60_000);
                assert!(
                    tokio::time::timeout(Duration::from_millis(2), slow)
                        .await
                        .is_err()
                );
            }
            assert_eq!(a.call::<_, u64>("sleep", &1).await.expect("still works"), 1);
            // A call that nobody polls any more, but that is not dropped either, does not hold up others.
            let mut stuck = std::pin::pin!(a.call::<_, u64>("sleep", &300));
            assert!(
                tokio::time::timeout(Duration::from_millis(1), &mut stuck)
                    .await
                    .is_err()
            );
            let other =
                tokio::time::timeout(Duration::from_secs(5), a.call::<_, u64>("sleep", &1)).await;
            assert_eq!(other.expect("not held up").expect("answered"), 1);
            assert_eq!(stuck.await.expect("answered"), 300);
            server.abort();
        }
    });
}

#[test]
fn closing_is_felt_on_both_sides() {
    executor().block_on(async {
        for (a, b) in all_kinds().await {
            a.send(&1).await.expect("sent");
            a.close().expect("closed");
            a.close().expect("closing twice is no error");
            assert!(!a.is_connected());
            assert!(matches!(a.send(&2).await, Err(Error::ChannelClosed)));
            assert!(matches!(
                a.receive::<i32>().await,
                Err(Error::ChannelClosed)
            ));
            assert_eq!(
                b.receive::<i32>().await.expect("what was sent before"),
                Some(1)
            );
            assert_eq!(b.receive::<i32>().await.expect("the end"), None);
            let waiting = b.call::<_, i32>("f", &1).await;
            assert!(matches!(waiting, Err(Error::PeerGone)), "{waiting:?}");
        }
    });
}

#[test]
fn a_peer_that_vanishes_ends_the_calls_that_wait_for_it() {
    executor().block_on(async {
        for (a, b) in all_kinds().await {
            let call = tokio::spawn(async move { a.call::<_, i32>("f", &1).await });
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(b);
            let outcome = call.await.expect("the caller");
            assert!(matches!(outcome, Err(Error::PeerGone)), "{outcome:?}");
        }
    });
}

#[test]
fn buffers_and_sizes_are_bounded() {
    let (a, b) = memory_channel_with(2, 100).expect("a channel");
    a.send_raw(&[1; 100]).expect("the largest");
    assert!(matches!(
        a.send_raw(&[1; 101]),
        Err(Error::MessageTooLarge {
            size: 101,
            limit: 100
        })
    ));
    a.send_raw(&[2]).expect("the second");
    assert_eq!(
        a.send_raw(&[3]).err().and_then(|error| error.limit()),
        Some(Limit::Output)
    );
    assert_eq!(
        b.receive_raw().expect("fine").map(|message| message.len()),
        Some(100)
    );
    a.send_raw(&[3]).expect("room again");
    executor().block_on(async {
        // Waiting for room ends when there is some; giving up waiting sends nothing.
        assert!(
            tokio::time::timeout(Duration::from_millis(5), a.send_boxed(&[4]))
                .await
                .is_err()
        );
        let (sent, received) = tokio::join!(a.send_boxed(&[5]), async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            b.receive_raw()
        });
        sent.expect("room was made");
        assert_eq!(received.expect("fine"), Some(vec![2]));
    });
    assert_eq!(b.receive_raw().expect("fine"), Some(vec![3]));
    assert_eq!(b.receive_raw().expect("fine"), Some(vec![5]));
    assert_eq!(b.receive_raw().expect("nothing more"), None);
    assert!(matches!(
        memory_channel(0),
        Err(Error::InvalidConfig { .. })
    ));
    let object = create_memory_channel(4).expect("a channel");
    let peer = object
        .as_any()
        .downcast_ref::<MemoryChannel>()
        .and_then(MemoryChannel::take_peer)
        .expect("once");
    assert!(
        object
            .as_any()
            .downcast_ref::<MemoryChannel>()
            .and_then(MemoryChannel::take_peer)
            .is_none()
    );
    drop(peer);
    assert!(matches!(object.send_raw(&[]), Err(Error::PeerGone)));
}

#[test]
fn a_stream_that_announces_too_much_is_cut_off() {
    use tokio::io::AsyncWriteExt;
    executor().block_on(async {
        for garbage in [
            &u32::MAX.to_le_bytes()[..],
            &[10, 0, 0, 0, 1, 2],
            &[1, 0, 0, 0, 9],
        ] {
            let (mut ours, theirs) = tokio::io::duplex(64);
            let channel = StreamChannel::new(theirs, 1000);
            ours.write_all(garbage).await.expect("written");
            drop(ours);
            let outcome = channel.receive::<i32>().await;
            assert!(
                matches!(outcome, Ok(None) | Err(Error::Codec { .. })),
                "{outcome:?}"
            );
        }
    });
}
