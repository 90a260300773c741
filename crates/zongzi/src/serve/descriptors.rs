use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets the process open as many files and sockets as the system allows it: Debian starts programs with 1,024, and a
/// crowd of viewers comes by HTTP first.
pub(super) fn allow_all() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let raised = if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    } else {
        Ok(())
    };
    let open_max = if raised.is_ok() { hard } else { soft };
    if open_max < ENOUGH {
        tracing::warn!(
            limit = open_max,
            "few connections can be open at a time: raise the limit of open files (LimitNOFILE= in systemd, ulimit -n)"
        );
    }
}

/// Connections of a crowd of some thousands while they join, with room for everything else.
const ENOUGH: u64 = 8_192;
