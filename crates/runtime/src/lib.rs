pub mod backoff;
pub mod clock;
pub mod histogram;
pub mod http_client;
pub mod log_limit;
pub mod net;
