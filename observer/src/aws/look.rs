//! One resource, read again: what a scan would see of it now.

use elava_schemas::Resource;

use super::client::Place;
use super::kind::{Asked, Kind, resource};
use super::retry::CallError;

/// Asks for one resource by its id, once; `None` where there is none.
///
/// # Errors
/// [`CallError`] when the cloud does not say.
pub async fn look(kind: &Kind, place: &Place, id: &str) -> Result<Option<Resource>, CallError> {
    let limiter = place.limiter(kind);
    limiter.turn().await;
    let asked = Asked { token: None, id: Some(id.to_owned()) };
    let page = match (kind.list)(&place.clients, asked).await {
        Ok(page) => page,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    limiter.answered();
    let scope = place.scope(kind);
    let mut found = page.drafts.into_iter().filter_map(|draft| resource(draft, kind, &scope));
    Ok(found.find(|resource| resource.key.id == id))
}
