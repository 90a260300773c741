//! AAC to Opus: plain calls, no runtime; C libraries behind one ffi module.
