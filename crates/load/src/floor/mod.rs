//! The floor: what encrypting and sending costs when nothing else is done, measured in the same run.

mod send;
pub(crate) mod shape;

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

pub(crate) use shape::Shape;

/// What one way of sending costs.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Floor {
    pub(crate) cpu_ms_per_viewer_second: f64,
    pub(crate) cpu_ns_per_packet: f64,
    pub(crate) packets_per_send: f64,
}

/// The floor for this run's stream.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Floors {
    /// For the sends that the server made.
    pub(crate) same_sends: Floor,
    /// For one send for each frame.
    pub(crate) send_per_frame: Floor,
    /// To how many addresses.
    pub(crate) addresses: usize,
    /// Bits of the AES key.
    pub(crate) key_bits: usize,
    /// What kind of sockets received it, which moves the sender's bill.
    pub(crate) sockets: String,
}

/// Sends what `shape` says to `addresses` drained sockets, in real time, and takes the sender's CPU.
///
/// # Errors
/// When sockets or threads are missing.
pub(crate) fn measure(
    shape: &Shape,
    addresses: usize,
    key_bytes: usize,
    coalesce: bool,
) -> Result<Floors> {
    let by_frame = shape.by_frame();
    let one = |shape: &Shape| -> Result<Floor> {
        let cpu = send::run(shape, addresses, key_bytes, coalesce)?;
        Ok(rate(shape, addresses, cpu))
    };
    Ok(Floors {
        same_sends: one(shape)?,
        send_per_frame: one(&by_frame)?,
        addresses,
        key_bits: key_bytes * 8,
        sockets: format!(
            "{addresses} connected, read every {} ms, kernel timestamps on, UDP_GRO {}, AES-{}-GCM",
            crate::engine::ROUND.as_millis(),
            if coalesce { "on" } else { "off" },
            key_bytes * 8
        ),
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(shape: &Shape, addresses: usize, cpu: Duration) -> Floor {
    let (packets, sends) = (shape.packets() as f64, shape.sends.len() as f64);
    let viewer_seconds = addresses as f64 * shape.span().as_secs_f64();
    Floor {
        cpu_ms_per_viewer_second: cpu.as_secs_f64() * 1e3 / viewer_seconds.max(1e-9),
        cpu_ns_per_packet: cpu.as_secs_f64() * 1e9 / (packets * addresses as f64).max(1.0),
        packets_per_send: packets / sends.max(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::shape::{Packet, Send};
    use super::*;

    #[test]
    fn cpu_is_shared_out_among_viewers_seconds_and_packets() {
        let send = |after_ms, count| Send {
            after: Duration::from_millis(after_ms),
            datagrams: vec![
                Packet {
                    bytes: 1000,
                    frame: (1, 1)
                };
                count
            ],
        };
        let shape = Shape::from_sends(vec![send(0, 10), send(500, 10)]);
        assert_eq!(shape.span(), Duration::from_secs(1));
        let floor = rate(&shape, 100, Duration::from_millis(50));
        assert!((floor.cpu_ms_per_viewer_second - 0.5).abs() < 1e-9);
        assert!((floor.cpu_ns_per_packet - 25_000.0).abs() < 1e-6);
        assert!((floor.packets_per_send - 10.0).abs() < 1e-9);
    }
}
