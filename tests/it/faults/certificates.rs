//! New certificates while clients connect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::join_all;

use super::Pair;
use crate::support::Client;
use crate::tls::{connected, dev_cert, folder, with_tls};

const RELOADS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_while_clients_connect() {
    let folder = folder("faults");
    dev_cert(&folder, &[]);
    let running = with_tls(&folder).await;
    let mut pair = Pair::login(running.http, "pair").await;
    let (ends, count): (Arc<AtomicBool>, Arc<AtomicU64>) = Default::default();
    let addr = running.http;
    let connecting: Vec<_> = (0..4)
        .map(|n| {
            let (ends, count, folder) = (ends.clone(), count.clone(), folder.clone());
            tokio::spawn(async move {
                while !ends.load(Ordering::Relaxed) {
                    let stream = connected(&folder, addr).await;
                    let mut client = Client::over(Box::new(stream), "wss://localhost/").await;
                    assert_eq!(client.log_in(&format!("client{n}")).await.err, "");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut reloads = 0;
    while reloads < RELOADS {
        let before = count.load(Ordering::Relaxed);
        let certs = folder.clone();
        tokio::task::spawn_blocking(move || dev_cert(&certs, &[]))
            .await
            .expect("a certificate");
        // The pair of files may be read between its two parts; then it is read again.
        if let Some(Ok(())) = running.tls.reload_if_changed() {
            reloads += 1;
        }
        pair.exchange().await;
        crate::support::eventually("clients connect", || count.load(Ordering::Relaxed) > before).await;
    }
    ends.store(true, Ordering::Relaxed);
    for client in join_all(connecting).await {
        client.expect("every connect succeeds");
    }
    pair.check();
    println!(
        "certificates: {reloads} reloads, {} connects meanwhile, none failed",
        count.load(Ordering::Relaxed)
    );
}
