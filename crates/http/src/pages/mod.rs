//! The pages for viewers and the files they load.

mod assets;
mod handlers;

pub use assets::{Assets, MissingPage};
pub use handlers::router;
pub(crate) use handlers::with_not_found_page;

#[cfg(test)]
mod tests;
