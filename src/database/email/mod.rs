//! Mail to users.
//!
//! | file | what |
//! |---|---|
//! | [`recipients`] | the addresses, and who wants mail of what |
//! | [`notices`] | what waits to be sent |

pub mod notices;
pub mod recipients;
