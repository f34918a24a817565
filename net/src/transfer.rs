//! Who gives which range of a blob, and when.
//!
//! Ranges are asked for in order and written in order; what arrives early waits in memory, within a window. A range that
//! a provider did not give is asked of another.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use athanor_spec::{
    Digest, Fetch, Refusal, Signed,
    wire::{BlobRequest, BlobResponse},
};
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use crate::{
    AskError, Client, Dropped, FetchError, Fetched, PeerAddress,
    fetch::verify,
    partial::{Finished, Partial, blocking},
};

/// Time for one slice. A slice is small, so a peer that needs longer for a single one is not serving.
const SLICE_TIMEOUT: Duration = Duration::from_secs(10);
/// Content of one slice in bytes, if the spec allows as much: with its hashes it fits the window that a stream begins with
/// (256 KiB), so that it takes one round trip.
const SLICE: u32 = 224 * 1024;
/// Slices of one provider in flight at most: 14 MiB, what a line of a gigabit a second holds over a tenth of a second.
const MAX_WINDOW: usize = 64;
/// ... once the first has come.
const FIRST_WINDOW: usize = 8;
/// Slices that wait somewhere on the way, for the line, a disk or a processor: with fewer, the window grows, as the line may be idle
/// at times; with more, it shrinks, as they come no sooner for it.
const FEW_WAITING: f64 = 3.0;
const MANY_WAITING: f64 = 8.0;
/// Times that a provider may be too busy, or about to start again, in a row before it is dropped.
const MAX_OVERLOADS: u32 = 20;

struct Provider {
    peer: PeerAddress,
    in_flight: usize,
    /// Slices that may be in flight: as many as the line holds, by how long they take; fewer when the provider cannot follow.
    window: usize,
    /// Time that the fastest slice took, with the least waiting.
    fastest: Option<Duration>,
    overloads: u32,
    /// Until when a busy provider is left alone.
    paused_until: Option<Instant>,
    failed: Option<FetchError>,
}

impl Provider {
    fn is_ready(&self, now: Instant) -> bool {
        self.failed.is_none()
            && self.in_flight < self.window
            && self.paused_until.is_none_or(|until| until <= now)
    }

    fn new(peer: &PeerAddress) -> Self {
        Self {
            peer: *peer,
            in_flight: 0,
            window: 1,
            fastest: None,
            overloads: 0,
            paused_until: None,
            failed: None,
        }
    }

    /// A slice came. Of those in flight, the share of its time that the fastest one did not need is waiting (TCP Vegas, Brakmo
    /// and Peterson 1995, section 3.2).
    fn came(&mut self, took: Duration) {
        let Some(fastest) = self.fastest else {
            // It may have taken the dial as well.
            (self.window, self.fastest) = (FIRST_WINDOW, Some(took));
            return;
        };
        let fastest = fastest.min(took);
        self.fastest = Some(fastest);
        let waiting =
            self.window as f64 * (1.0 - fastest.as_secs_f64() / took.as_secs_f64().max(1e-9));
        if waiting < FEW_WAITING {
            self.window = (self.window + 1).min(MAX_WINDOW);
        } else if waiting > MANY_WAITING {
            self.window -= 1;
        }
    }
}

/// A range that a provider is asked for.
struct Flight {
    provider: usize,
    peer: PeerAddress,
    fetch: Fetch,
    /// Whether the provider has nothing else to send us.
    alone: bool,
}

/// What came of asking for a range.
struct Arrived {
    provider: usize,
    offset: u64,
    alone: bool,
    /// From the request to its last byte.
    took: Duration,
    /// The claimed length of the blob and the proved content of the range.
    result: Result<(u64, Vec<u8>), FetchError>,
}

/// One blob on its way.
pub(crate) struct Transfer<S> {
    client: Client,
    sign: S,
    blob: Digest,
    max_bytes: u64,
    providers: Vec<Provider>,
    partial: Partial,
    /// The blob's length: of one provider as it claims, of several as it was proved.
    total: Option<u64>,
    /// First byte that nobody was asked for yet.
    next: u64,
    /// Ranges to be asked for again.
    again: BTreeSet<u64>,
    /// Content that waits for what comes before it.
    early: BTreeMap<u64, Vec<u8>>,
}

impl<S: FnMut(Fetch) -> Signed<Fetch>> Transfer<S> {
    pub(crate) fn new(
        client: Client,
        providers: &[PeerAddress],
        blob: Digest,
        max_bytes: u64,
        sign: S,
        partial: Partial,
    ) -> Self {
        Self {
            client,
            sign,
            blob,
            max_bytes,
            providers: providers.iter().map(Provider::new).collect(),
            next: partial.len,
            partial,
            total: None,
            again: BTreeSet::new(),
            early: BTreeMap::new(),
        }
    }

    /// Runs until the file has its name, no provider is left, or this machine fails.
    pub(crate) async fn run(mut self) -> Result<Fetched, FetchError> {
        let mut flights = FuturesUnordered::new();
        loop {
            let now = Instant::now();
            while let Some(flight) = self.assign(now, flights.is_empty()) {
                let request = (self.sign)(flight.fetch.clone());
                let client = self.client.clone();
                flights.push(slice(client, flight, request, self.max_bytes));
            }
            let pauses = self.providers.iter().filter(|p| p.failed.is_none());
            let wake = pauses
                .filter_map(|p| p.paused_until)
                .filter(|u| *u > now)
                .min();
            if flights.is_empty() && wake.is_none() {
                return Err(FetchError::NoProvider {
                    blob: self.blob,
                    dropped: self.dropped(),
                });
            }
            tokio::select! {
                Some(arrived) = flights.next() => self.arrived(arrived)?,
                () = tokio::time::sleep_until(wake.unwrap_or(now)), if wake.is_some() => continue,
            }
            let Some(total) = self.total else { continue };
            self = self.write_what_follows().await?;
            if self.partial.len >= total {
                match self.partial.finish(total).await? {
                    Finished::Named => {
                        let dropped = take_dropped(&mut self.providers);
                        return Ok(Fetched {
                            bytes: total,
                            dropped,
                        });
                    }
                    Finished::BegunAnew(partial) => {
                        // What is in flight lies within the file that begins anew, and is as good as ever.
                        (self.partial, self.next) = (partial, 0);
                        (self.again, self.early) = Default::default();
                    }
                }
            }
        }
    }

    /// The next range and who is asked for it.
    fn assign(&mut self, now: Instant, idle: bool) -> Option<Flight> {
        let chunk = self.client.limits.max_chunk_bytes.min(SLICE);
        let ready = self.providers.iter().enumerate();
        let ready = ready.filter(|(_, provider)| provider.is_ready(now));
        let (index, _) = ready.min_by_key(|(_, provider)| provider.in_flight)?;
        let (offset, len) = match self.total {
            // A range beyond the end proves the length, so that no liar's claim is held against honest providers.
            None if self.providers.len() > 1 => (idle.then_some(self.max_bytes)?, 1),
            None => (idle.then_some(self.next)?, chunk),
            Some(total) => (self.next_range(total, u64::from(chunk))?, chunk),
        };
        if self.total.is_none() && self.providers.len() == 1 {
            self.next = self.next.saturating_add(chunk.into());
        }
        let (blob, provider) = (self.blob, &mut self.providers[index]);
        provider.in_flight += 1;
        Some(Flight {
            provider: index,
            peer: provider.peer,
            fetch: Fetch { blob, offset, len },
            alone: provider.window == 1,
        })
    }

    fn next_range(&mut self, total: u64, chunk: u64) -> Option<u64> {
        if let Some(offset) = self.again.pop_first() {
            return Some(offset);
        }
        // What may arrive early is bounded: as much again as can be in flight.
        let in_flight: usize = self.providers.iter().map(|it| it.window).sum();
        let window = 2 * in_flight.max(FIRST_WINDOW) as u64 * chunk;
        let offset = self.next;
        if offset >= total || offset >= self.partial.len.saturating_add(window) {
            return None;
        }
        self.next += chunk;
        Some(offset)
    }

    /// Books a slice, or what came instead; an error is this machine's own.
    fn arrived(&mut self, arrived: Arrived) -> Result<(), FetchError> {
        let several = self.providers.len() > 1;
        let provider = &mut self.providers[arrived.provider];
        provider.in_flight -= 1;
        let proves_length = self.total.is_none() && several;
        let error = match arrived.result {
            Ok((total, content)) if self.total.is_none_or(|known| known == total) => {
                provider.overloads = 0;
                self.total = Some(total);
                provider.came(arrived.took);
                if !proves_length {
                    self.early.insert(arrived.offset, content);
                }
                return Ok(());
            }
            Ok(_) => FetchError::BadSlice {
                blob: self.blob,
                offset: arrived.offset,
            },
            Err(error) => error,
        };
        if !error.blames_peer() {
            return Err(error);
        }
        match error {
            FetchError::Ask(AskError::Refused(
                Refusal::Overloaded { retry_after_ms } | Refusal::NotServing { retry_after_ms },
            )) if provider.overloads < MAX_OVERLOADS => {
                provider.overloads += 1;
                provider.window = (provider.window / 2).max(1);
                let pause = Duration::from_millis(retry_after_ms.into()).min(SLICE_TIMEOUT);
                provider.paused_until = Some(Instant::now() + pause);
            }
            // A slow line, perhaps: one that cannot carry one slice in time is no provider.
            FetchError::Ask(AskError::Timeout { .. }) if !arrived.alone => provider.window = 1,
            // The first failure is the one to name: later ones may be its consequence.
            error => drop(provider.failed.get_or_insert(error)),
        }
        if self.total.is_some() {
            self.again.insert(arrived.offset);
        } else if !several {
            self.next = arrived.offset;
        }
        Ok(())
    }

    async fn write_what_follows(mut self) -> Result<Self, FetchError> {
        let mut content = Vec::new();
        let mut end = self.partial.len;
        // A range that was asked for twice may arrive twice.
        self.early = self.early.split_off(&end);
        while let Some(piece) = self.early.remove(&end) {
            end += piece.len() as u64;
            if piece.is_empty() {
                break;
            }
            content.push(piece);
        }
        if !content.is_empty() {
            self.partial = self.partial.append(content).await?;
        }
        Ok(self)
    }

    fn dropped(&mut self) -> Vec<Dropped> {
        take_dropped(&mut self.providers)
    }
}

fn take_dropped(providers: &mut [Provider]) -> Vec<Dropped> {
    let failed = providers.iter_mut().filter_map(|provider| {
        Some(Dropped {
            provider: provider.peer,
            error: provider.failed.take()?,
        })
    });
    failed.collect()
}

/// Asks for one range and verifies it.
async fn slice(client: Client, flight: Flight, request: Signed<Fetch>, max_bytes: u64) -> Arrived {
    let Flight {
        provider,
        peer,
        fetch,
        alone,
    } = flight;
    let offset = fetch.offset;
    let begun = Instant::now();
    let asked = client
        .blob(&peer, BlobRequest::Fetch(request), SLICE_TIMEOUT)
        .await;
    let took = begun.elapsed();
    let result = match asked {
        Ok(BlobResponse::Slice(slice)) => blocking(move || verify(&fetch, &slice, max_bytes)).await,
        Ok(BlobResponse::Delta(_) | BlobResponse::Refused(_)) => Err(AskError::WrongKind.into()),
        Err(error) => Err(error.into()),
    };
    Arrived {
        provider,
        offset,
        alone,
        took,
        result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slices that a line holds once the window has settled: `per_second` slices a second, each at least `delay` on its way.
    fn settled(per_second: f64, delay: Duration) -> usize {
        let address = (Digest([1; 32]), ([127, 0, 0, 1], 9).into());
        let mut provider = Provider::new(&address.into());
        let alone = delay + Duration::from_secs_f64(1.0 / per_second);
        // One slice without company, which took a dial as well, and the first of several, before which nothing waits.
        provider.came(3 * alone);
        provider.came(alone);
        for _ in 0..1000 {
            // What does not fit on the line waits before it (Little's law).
            let queue = Duration::from_secs_f64(provider.window as f64 / per_second);
            provider.came(queue.max(alone));
        }
        provider.window
    }

    #[test]
    fn the_window_is_what_the_line_holds_and_a_few_that_wait() {
        let ms = Duration::from_millis;
        // 100 Mbit/s over 1, 40 and 100 ms; then 10 Mbit/s; then a gigabit, of which 100 ms hold more than is allowed.
        for (per_second, delay, holds) in [
            (54.0, ms(1), 1),
            (54.0, ms(40), 3),
            (54.0, ms(100), 6),
            (5.4, ms(40), 1),
            (540.0, ms(40), 23),
        ] {
            let found = settled(per_second, delay);
            assert!((holds + 2..=holds + 9).contains(&found), "{holds}: {found}");
        }
        assert_eq!(settled(5400.0, ms(100)), MAX_WINDOW);
    }
}
