//! Work on many things at once, on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer things than this for a thread are not worth starting one.
const PORTION_MIN: usize = 32;

/// What each item comes to, in their order.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let portion = items.len().div_ceil(cores()).max(PORTION_MIN);
    if items.len() <= portion {
        return items.iter().map(work).collect();
    }
    let work = &work;
    std::thread::scope(|scope| {
        let portions = items.chunks(portion);
        let threads: Vec<_> =
            portions.map(|portion| scope.spawn(move || portion.iter().map(work).collect::<Vec<R>>())).collect();
        let mut done = Vec::with_capacity(items.len());
        for thread in threads {
            // A panic of the work is one of the caller.
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    })
}

/// The same for work that can fail: the first failure in order, or all results.
pub fn try_map<T: Sync, R: Send, E: Send>(items: &[T], work: impl Fn(&T) -> Result<R, E> + Sync) -> Result<Vec<R>, E> {
    map(items, work).into_iter().collect()
}

/// The same for work that waits, or takes long: each thread takes the next item when it is done with one.
pub fn each<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let (next, work) = (AtomicUsize::new(0), &work);
    let take = || {
        let mut done = Vec::new();
        while let Some((at, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
        {
            done.push((at, work(item)));
        }
        done
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        let joined = threads.into_iter().flat_map(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        let mut done: Vec<(usize, R)> = joined.collect();
        done.sort_unstable_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    })
}

/// How many cores there are.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_done_once_by_whoever_is_free() {
        for threads in [0, 1, 3, 99] {
            let items: Vec<u64> = (0..40).collect();
            let slow = |item: &u64| {
                std::thread::sleep(std::time::Duration::from_millis(item % 3));
                item * 2
            };
            assert_eq!(each(&items, threads, slow), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn results_keep_their_order() {
        for len in [0, 1, PORTION_MIN, PORTION_MIN + 1, 1_000, 1_001] {
            let items: Vec<usize> = (0..len).collect();
            assert_eq!(map(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
            let failed = try_map(&items, |item| if *item >= 40 { Err(*item) } else { Ok(*item) });
            assert_eq!(failed, if len > 40 { Err(40) } else { Ok(items) });
        }
    }
}
