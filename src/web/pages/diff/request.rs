//! A request for differences, with everything that it is about.

use std::sync::Arc;

use crate::source::comparison::Comparison;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::links::Links;
use crate::web::pages::visit::Visit;
use crate::web::sources::Package;
use crate::web::{App, ClientAddress};

/// Where the page is, and which packages have pages of their own.
pub struct Place {
    /// Its path, without a query.
    pub path: String,
    /// Whether the files of the earlier package have pages.
    pub has_before: bool,
    /// Whether the files of the later one have: those of a staged version do not.
    pub has_after: bool,
}

/// A request for differences.
pub struct Request {
    pub place: Place,
    pub app: App,
    pub visit: Visit,
    pub client: ClientAddress,
    pub query: QueryParameters,
    pub before: Package,
    pub after: Package,
    pub comparison: Arc<Comparison>,
}

impl Request {
    pub fn links(&self) -> &Links {
        self.visit.links()
    }

    /// Whether both versions stand beside each other.
    pub fn is_split(&self) -> bool {
        self.query.get("view") == Some("split")
    }

    /// The page with other parameters.
    pub fn path(&self, parameters: &[(&str, &str)]) -> String {
        let path = self.place.path.clone();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// The value of the parameter that keeps the view.
    pub fn view(&self) -> &'static str {
        if self.is_split() { "split" } else { "" }
    }
}
