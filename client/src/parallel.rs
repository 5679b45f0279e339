//! Work on many things at once, on all cores.

/// Fewer things than this for a thread are not worth starting one.
const PORTION_MIN: usize = 32;

/// What each item comes to, in their order.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let portion = items.len().div_ceil(cores).max(PORTION_MIN);
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

#[cfg(test)]
mod tests {
    use super::*;

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
