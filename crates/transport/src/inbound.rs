use std::io;
use std::os::fd::AsFd;

use crate::control::Control;
use crate::sys::{self, Incoming};
use crate::{MediaSocket, Path};

/// The place where a shard's datagrams arrive, many by one system call.
pub struct Inbound {
    places: Box<[Incoming]>,
    filled: usize,
}

/// One datagram that has arrived.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// From whom, and to which of our addresses.
    pub path: Path,
    /// What. Mutable, so that it may be decrypted in place.
    pub data: &'a mut [u8],
}

impl Inbound {
    /// Datagrams that one system call takes at most: fewer means that there are no more.
    pub const BATCH: usize = 32;

    /// A place for the datagrams of `socket`: 64 KiB.
    pub fn new(socket: &MediaSocket) -> Self {
        let place = || Incoming {
            data: vec![0; DATAGRAM_BYTES].into(),
            len: 0,
            truncated: false,
            name: socket.family.empty(),
            control: Control::new(),
        };
        Self {
            places: std::iter::repeat_with(place).take(Self::BATCH).collect(),
            filled: 0,
        }
    }

    /// Takes what has arrived, at most 32 datagrams, and returns how many; 0: there is nothing. Never waits.
    ///
    /// # Errors
    /// When the kernel has an error for the socket.
    pub fn receive(&mut self, socket: &MediaSocket) -> io::Result<usize> {
        self.filled = 0;
        match sys::receive_many(socket.socket.as_fd(), &mut self.places) {
            Ok(count) => {
                self.filled = count;
                socket.count(&socket.tally().received_datagrams, count);
                let oversize = self
                    .places
                    .iter()
                    .take(count)
                    .filter(|place| place.truncated);
                socket.count(&socket.tally().received_oversize, oversize.count());
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The datagrams that the last [`Inbound::receive`] took, those too long left out.
    pub fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let filled = self.places.iter_mut().take(self.filled);
        filled.filter(|place| !place.truncated).filter_map(|place| {
            Some(Datagram {
                path: Path {
                    remote: place.name.address(),
                    local: place.control.local(),
                },
                data: place.data.get_mut(..place.len)?,
            })
        })
    }
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound")
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

/// More than any DTLS flight's datagram or RTCP compound on a path of 1,500 bytes.
const DATAGRAM_BYTES: usize = 2048;
