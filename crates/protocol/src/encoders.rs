//! The encoders of all profiles.

use std::sync::Arc;

use tables::Tables;
use tables::profile::{Profile, Transport};

use crate::api::encode::ApiEncoder;
use crate::encoder::Encoder;
use crate::line_encoder::LineEncoder;
use crate::native::encode::NativeLines;
use crate::web::encode::WebFrames;

/// Creates the encoders of the profiles, in their order. Returns `None` if the tables lack a wire
/// or a profile for a transport.
pub fn encoders(tables: &Arc<Tables>) -> Option<Vec<Arc<dyn Encoder>>> {
    let of = |profile: &Arc<Profile>| {
        let wire = tables.wire(&profile.family)?.clone();
        let encoder: Arc<dyn Encoder> = match profile.transport {
            Transport::Tcp => Arc::new(LineEncoder::new(tables.clone(), wire, profile.clone(), NativeLines)),
            Transport::Api => Arc::new(ApiEncoder::new(tables.clone(), wire)),
            Transport::WebSocket => Arc::new(LineEncoder::new(tables.clone(), wire, profile.clone(), WebFrames)),
        };
        Some(encoder)
    };
    tables.profiles.iter().map(of).collect()
}
