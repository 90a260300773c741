//! Waiting for something that another process does.

use std::thread;
use std::time::{Duration, Instant};

/// How often is looked, where nothing can tell.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until `look` finds something.
///
/// # Panics
/// When `most` has passed; `what` says what was waited for.
pub fn until<T>(what: &str, most: Duration, look: impl FnMut() -> Option<T>) -> T {
    let found = try_until(most, look);
    found.unwrap_or_else(|| panic!("waited {most:?} in vain for: {what}"))
}

/// Looks until `look` finds something; `None` when `most` has passed.
pub fn try_until<T>(most: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = look();
        if found.is_some() || start.elapsed() >= most {
            return found;
        }
        thread::sleep(LOOK);
    }
}
