//! Who goes first where the processor is short: shards and all that runs by the clock, then sound, then video that is
//! encoded again. Each step of nice takes about a tenth of the processor's time for its rivals (sched(7)).

use std::io;

use rustix::process::nice;

/// For a thread that makes sound. On Linux nice is a thread's.
pub(crate) fn lower_this_thread() {
    // Where it is refused all is as without it.
    let _ = nice(SOUND);
}

/// For the whole process of a video rendition, which has one thread.
///
/// # Errors
/// When the system refuses.
pub(crate) fn lower_this_process() -> io::Result<()> {
    nice(VIDEO)?;
    Ok(())
}

const SOUND: i32 = 4;
const VIDEO: i32 = 10;
