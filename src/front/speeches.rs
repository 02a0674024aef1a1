//! The languages of all profiles.

use std::sync::Arc;

use crate::mapping::Tables;
use crate::mapping::profile::{Profile, Transport};
use crate::shell::Speech;

use super::api::speech::ApiSpeech;
use super::speaking::LineSpeech;
use super::tcp::encode::NativeLines;
use super::web::encode::WebFrames;

/// The languages of the profiles, in their order; `None` when the tables lack a wire or a profile for a transport.
pub fn speeches(tables: &Arc<Tables>) -> Option<Vec<Arc<dyn Speech>>> {
    let of = |profile: &Arc<Profile>| {
        let wire = tables.wire(&profile.family)?.clone();
        let speech: Arc<dyn Speech> = match profile.transport {
            Transport::Tcp => Arc::new(LineSpeech::new(tables.clone(), wire, profile.clone(), NativeLines)),
            Transport::Api => Arc::new(ApiSpeech::new(tables.clone(), wire)),
            Transport::WebSocket => Arc::new(LineSpeech::new(tables.clone(), wire, profile.clone(), WebFrames)),
        };
        Some(speech)
    };
    tables.profiles.iter().map(of).collect()
}
