//! Clients that read git answers slowly.
