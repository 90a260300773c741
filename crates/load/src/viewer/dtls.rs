use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use dimpl::{Config, Dtls, DtlsCertificate, Output};

use crate::rtp::srtp::Session;
use crate::whep::Answer;

/// Bytes of the largest datagram that a handshake sends, and of a certificate.
const OUTPUT_BYTES: usize = 4096;

/// The certificate that all viewers of one run show, and their DTLS settings.
///
/// A browser makes one for each connection; what it costs the server is the same.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    certificate: DtlsCertificate,
    pub(crate) fingerprint: String,
    config: Arc<Config>,
}

impl Identity {
    /// A fresh self-signed one.
    pub(crate) fn new() -> Result<Self> {
        let certificate = dimpl::certificate::generate_self_signed_certificate()
            .context("no certificate could be made")?;
        Ok(Self {
            fingerprint: certificate.fingerprint_str(),
            certificate,
            config: Arc::new(Config::default()),
        })
    }
}

/// A DTLS 1.2 handshake on its way, and the association after it.
#[derive(Debug)]
pub(crate) struct Handshake {
    dtls: Dtls,
    due: Option<Instant>,
    wanted_fingerprint: Vec<u8>,
    we_are_client: bool,
}

/// What a call brought.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Keys, once.
    pub(crate) keys: Option<(Session, dimpl::SrtpProfile)>,
    /// The other side ended the association.
    pub(crate) closed: bool,
}

impl Handshake {
    /// For the session that `answer` describes.
    pub(crate) fn new(identity: &Identity, answer: &Answer, now: Instant) -> Self {
        let mut dtls = Dtls::new_12(
            Arc::clone(&identity.config),
            identity.certificate.clone(),
            now,
        );
        dtls.set_active(answer.we_are_client);
        Self {
            dtls,
            due: Some(now),
            wanted_fingerprint: answer.fingerprint.clone(),
            we_are_client: answer.we_are_client,
        }
    }

    /// Takes a DTLS datagram.
    pub(crate) fn received(
        &mut self,
        datagram: &[u8],
        now: Instant,
        send: impl FnMut(&[u8]),
    ) -> Result<Progress> {
        self.dtls.handle_timeout(now).context("DTLS")?;
        self.dtls.handle_packet(datagram).context("DTLS")?;
        self.drain(send)
    }

    /// Sends again what is due.
    pub(crate) fn poll(&mut self, now: Instant, send: impl FnMut(&[u8])) -> Result<Progress> {
        if self.due.is_none_or(|due| now < due) {
            return Ok(Progress::default());
        }
        self.dtls.handle_timeout(now).context("DTLS")?;
        self.drain(send)
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, send: impl FnMut(&[u8])) {
        if self.dtls.close().is_ok() {
            let _ = self.drain(send);
        }
    }

    fn drain(&mut self, mut send: impl FnMut(&[u8])) -> Result<Progress> {
        let mut progress = Progress::default();
        let mut buffer = [0; OUTPUT_BYTES];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => send(datagram),
                Output::Timeout(due) => {
                    self.due = Some(due);
                    return Ok(progress);
                }
                Output::PeerCert(certificate) => {
                    let hash = dimpl::certificate::calculate_fingerprint(certificate);
                    if hash != self.wanted_fingerprint {
                        bail!("the server's certificate is not the one that its answer names");
                    }
                }
                Output::KeyingMaterial(material, profile) => {
                    let session = Session::new(profile, &material, self.we_are_client)?;
                    progress.keys = Some((session, profile));
                }
                Output::CloseNotify => progress.closed = true,
                Output::BufferTooSmall { needed } => {
                    bail!("DTLS wants to send {needed} bytes at once")
                }
                _ => {}
            }
        }
    }
}
