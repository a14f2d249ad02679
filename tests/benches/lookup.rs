//! Looking up and planning a delivery without HTTP and without writing, beside 100 thousand, 1 million and 5 million contacts, on
//! both stores: what recognising a person costs must hardly depend on how many are known.
//!
//! `cargo bench -p leadgate-tests --bench lookup`. `LEADGATE_BENCH_SIZES` (default `100000,1000000,5000000`) and
//! `LEADGATE_BENCH_STORES` (default `sqlite,postgres`) make it shorter: the largest size takes a while to put in.
//!
//! Half of the deliveries are of people who are known. The figures are of calls with 32 deliveries, which is what waits together when
//! the gateway has something to do, divided by 32; one call at a time. What a lone delivery takes is printed beside them. Figures are
//! of the largest size, or beside the smallest.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use leadgate_core::ports::Store;
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Outcome;
use leadgate_store_postgres::PostgresStore;
use leadgate_store_sqlite::SqliteStore;
use leadgate_tests::cluster::Cluster;
use leadgate_tests::people;

const WARM_UP: u64 = 32_000;
const SAMPLES: u64 = 64_000;
/// Deliveries of a call.
const TOGETHER: usize = 32;
/// People that are never put in.
const STRANGERS: u64 = 1 << 30;

fn main() -> anyhow::Result<()> {
    let stores = std::env::var("LEADGATE_BENCH_STORES").unwrap_or_else(|_| "sqlite,postgres".to_owned());
    let sizes = std::env::var("LEADGATE_BENCH_SIZES").unwrap_or_else(|_| "100000,1000000,5000000".to_owned());
    let sizes = sizes.split(',').map(|size| size.trim().parse()).collect::<Result<Vec<u64>, _>>()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        if stores.contains("sqlite") {
            let folder = tempfile::tempdir()?;
            let store = SqliteStore::open(&folder.path().join("leads.db"), leadgate_store_sqlite::Options::default()).await?;
            measure("sqlite", &store, &sizes).await?;
            store.close().await;
        }
        if stores.contains("postgres") {
            let cluster = Cluster::start().await?;
            let url = cluster.database("leads").await?;
            let store = PostgresStore::open(&url, leadgate_store_postgres::Options::default()).await?;
            measure("postgres", &store, &sizes).await?;
            store.close().await;
        }
        Ok(())
    })
}

async fn measure(name: &str, store: &dyn Store, sizes: &[u64]) -> anyhow::Result<()> {
    let (mut there, mut found) = (0, Vec::new());
    for size in sizes {
        let begin = Instant::now();
        // In pieces, so that one sees that it goes on.
        while there < *size {
            let to = (there + 250_000).min(*size);
            people::put(store, there..to).await?;
            there = to;
            println!("{name}: {there} contacts, {:.0} s", begin.elapsed().as_secs_f64());
        }
        look(store, *size, WARM_UP, TOGETHER).await?;
        let (p50, p99) = look(store, *size, SAMPLES, TOGETHER).await?;
        println!("{name}: beside {size} contacts p50 {:.0} us, p99 {:.0} us a delivery of {TOGETHER}", p50 * 1e3, p99 * 1e3);
        let lone = look(store, *size, SAMPLES / 16, 1).await?;
        println!("{name}: beside {size} contacts p50 {:.0} us, p99 {:.0} us a lone delivery", lone.0 * 1e3, lone.1 * 1e3);
        found.push((p50, p99));
    }
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        println!("figure lookup.{name}_p50_growth {:.2}", last.0 / first.0);
        println!("figure lookup.{name}_p99_ms {:.3}", last.1);
    }
    Ok(())
}

/// What a delivery takes when so many come together: half and 99 of 100 calls were faster, in ms.
async fn look(store: &dyn Store, size: u64, samples: u64, together: usize) -> anyhow::Result<(f64, f64)> {
    let rules = Arc::new(people::rules());
    let at: Timestamp = "2026-01-15T00:00:00Z".parse()?;
    let mut took = Vec::new();
    let numbers: Vec<u64> = (0..samples).collect();
    for call in numbers.chunks(together) {
        let items = call.iter().map(|n| {
            // Spread over all there are, and as many strangers.
            let person = if n % 2 == 0 { n.wrapping_mul(0x9E37_79B1) % size } else { STRANGERS + n };
            let mut delivery = people::delivery(person, at);
            delivery.keys.clear();
            delivery.id = people::delivery(STRANGERS + n, at).id;
            Arc::new(Prepared::new(delivery, &rules))
        });
        let items: Vec<_> = items.collect();
        let begin = Instant::now();
        let told = store.preview(items, Arc::clone(&rules)).await?;
        let items = f64::from(u32::try_from(call.len())?);
        took.push(begin.elapsed().as_secs_f64() * 1e3 / items);
        for (n, receipt) in call.iter().zip(&told) {
            let known = receipt.outcome == Outcome::Attached;
            anyhow::ensure!(known == (n % 2 == 0), "delivery {n} beside {size}: {receipt:?}");
        }
    }
    took.sort_by(f64::total_cmp);
    Ok((took[took.len() / 2], took[took.len() * 99 / 100]))
}
