use std::io;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, setrlimit};
use zongzi_transcode::reencode::codec::{Codecs, OpenH264};
use zongzi_transcode::worker;

use crate::serve::priority;

/// The hidden subcommand.
pub(crate) const COMMAND: &str = "transcode-worker";

/// The whole life of a child: limits first, then what its parent asks on standard input.
///
/// # Errors
/// When a limit can't be set, or the parent is gone.
pub(crate) fn run() -> io::Result<()> {
    for (resource, limit) in [
        (Resource::As, MEMORY_BYTES_MAX),
        (Resource::Nofile, DESCRIPTORS_MAX),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        setrlimit(resource, limit)?;
    }
    priority::lower_this_process()?;
    let codecs: Arc<dyn Codecs> = Arc::new(OpenH264);
    worker::serve(&codecs, io::stdin().lock(), io::stdout().lock())
}

/// Address space: at 4K it had 1.35 GB, of which the allocator reserves 1 GB without using it.
const MEMORY_BYTES_MAX: u64 = 3 << 30;
/// Standard input, output and error, and nothing more.
const DESCRIPTORS_MAX: u64 = 3;
