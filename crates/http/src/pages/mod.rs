//! The pages for viewers and for the operator, and the files they load.

mod assets;
mod console;
mod handlers;

pub use assets::{Assets, MissingPage};
pub use console::Console;
pub use handlers::router;
pub(crate) use handlers::with_not_found_page;

#[cfg(test)]
mod tests;
