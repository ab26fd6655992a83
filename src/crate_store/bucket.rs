//! A bucket of small named objects that are read by others, such as a CDN. An object is replaced only on the condition that it is
//! still the one that was looked at: `If-Match` and `If-None-Match` of S3's PutObject. S3 has no condition for a deletion.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryFutureExt};
use object_store::path::Path as Location;
use object_store::prefix::PrefixStore;
use object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, UpdateVersion,
};

use super::error::{CrateStoreError, Failure};
use super::runtime::StoreRuntime;
use super::s3::S3Settings;

/// Objects that one request lists.
const PAGE: usize = 1000;
/// The option that names the bucket.
const OPTION: &str = "--index-export";

/// A bucket, or what is below a prefix of one. Its methods block. Clones share their connections.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    settings: Arc<S3Settings>,
    runtime: Arc<StoreRuntime>,
}

/// A request to a bucket that failed.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error("cannot access {what} in {bucket}: {failure}")]
    Failed { bucket: String, what: String, failure: Failure },
    #[error("cannot use {bucket}: {reason}")]
    Unusable { bucket: String, reason: String },
}

/// What a listing says about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Without quotes. That of S3 is the MD5 of the content, unless the object was encrypted with a key of KMS or uploaded in
    /// parts.
    pub e_tag: Option<String>,
}

/// An object, with its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub size: u64,
    pub headers: ObjectHeaders,
    version: UpdateVersion,
}

/// What an object is delivered with, and what was noted on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectHeaders {
    pub content_type: String,
    pub cache_control: String,
    /// `x-amz-meta-…`, by the name behind that.
    pub notes: BTreeMap<String, String>,
}

/// The result of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Stored,
    /// The object is not the one that was looked at. Nothing was written.
    Refused,
}

impl Bucket {
    /// Opens a bucket without sending it a request.
    pub fn open(settings: &S3Settings) -> Result<Self, CrateStoreError> {
        let runtime = StoreRuntime::bounded(settings.limit)?;
        let bucket = settings.client(runtime.handle())?;
        let store: Arc<dyn ObjectStore> = if settings.prefix.is_empty() {
            Arc::new(bucket)
        } else {
            Arc::new(PrefixStore::new(bucket, settings.prefix.as_str()))
        };
        Ok(Self { store, settings: Arc::new(settings.clone()), runtime })
    }

    /// The place as the operator wrote it.
    pub fn name(&self) -> String {
        self.settings.name()
    }

    /// The place with the service, which tells apart buckets of the same name.
    pub fn address(&self) -> String {
        match &self.settings.endpoint {
            Some(endpoint) => format!("{} at {endpoint}", self.name()),
            None => self.name(),
        }
    }

    /// The objects at the paths that `keeps` accepts, in the order of their paths, which S3 guarantees.
    pub fn list(&self, keeps: fn(&str) -> bool) -> Result<Vec<Listed>, BucketError> {
        let mut listed = self.store.list(None).chunks(PAGE);
        let mut objects = Vec::new();
        loop {
            let page = async { Ok(listed.next().await) };
            let Some(page) = self.wait_for(|| "the list of objects".to_owned(), page)? else { return Ok(objects) };
            for meta in page {
                let meta = meta.map_err(|error| self.failed("the list of objects".to_owned(), Failure::of(&error)))?;
                if keeps(meta.location.as_ref()) {
                    objects.push(Listed::of(meta));
                }
            }
        }
    }

    /// An object without its content; `None` if it does not exist.
    pub fn look_at(&self, path: &str) -> Result<Option<Object>, BucketError> {
        let options = GetOptions::new().with_head(true);
        let found = self.find(path, self.store.get_opts(&Location::from(path), options))?;
        Ok(found.map(|found| Object::of(&found)))
    }

    /// The content of an object; `None` if it does not exist.
    pub fn read(&self, path: &str) -> Result<Option<Bytes>, BucketError> {
        self.find(path, self.store.get(&Location::from(path)).and_then(GetResult::bytes))
    }

    /// Stores an object if the one at its path is still `seen`, or if there is none and none was seen.
    pub fn store(
        &self,
        path: &str,
        content: Bytes,
        headers: &ObjectHeaders,
        seen: Option<&Object>,
    ) -> Result<Written, BucketError> {
        let mode = seen.map_or(PutMode::Create, |object| PutMode::Update(object.version.clone()));
        let options = PutOptions { mode, attributes: headers.attributes(), ..PutOptions::default() };
        let location = Location::from(path);
        let put = async {
            match self.store.put_opts(&location, PutPayload::from(content), options).await {
                Ok(_) => Ok(Written::Stored),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    Ok(Written::Refused)
                }
                Err(error) => Err(error),
            }
        };
        self.wait_for(|| path.to_owned(), put)
    }

    /// Removes an object, if it exists. This has no condition.
    pub fn remove(&self, path: &str) -> Result<(), BucketError> {
        self.find(path, self.store.delete(&Location::from(path))).map(drop)
    }

    fn find<T>(
        &self,
        path: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>, BucketError> {
        let found = async {
            match request.await {
                Ok(found) => Ok(Some(found)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.wait_for(|| path.to_owned(), found)
    }

    fn wait_for<T>(
        &self,
        what: impl Fn() -> String,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, BucketError> {
        self.runtime.wait_for(&what, None, request).map_err(|error| match error {
            CrateStoreError::Failed { failure: Failure::Rejected { status, code }, .. } => {
                let remedy = self.settings.remedy(OPTION, status, code.as_deref());
                let reason = format!("{}: {remedy}", Failure::Rejected { status, code });
                BucketError::Unusable { bucket: self.name(), reason }
            }
            CrateStoreError::Failed { failure, .. } => self.failed(what(), failure),
            other => BucketError::Unusable { bucket: self.name(), reason: other.to_string() },
        })
    }

    fn failed(&self, what: String, failure: Failure) -> BucketError {
        BucketError::Failed { bucket: self.name(), what, failure }
    }
}

impl Listed {
    fn of(meta: ObjectMeta) -> Self {
        let e_tag = meta.e_tag.map(|tag| tag.trim_matches('"').to_owned());
        Self { path: meta.location.to_string(), size: meta.size, e_tag }
    }
}

impl Object {
    pub fn e_tag(&self) -> Option<&str> {
        self.version.e_tag.as_deref()
    }

    fn of(found: &GetResult) -> Self {
        let meta = &found.meta;
        let version = UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() };
        Self { size: meta.size, headers: ObjectHeaders::of(&found.attributes), version }
    }
}

impl ObjectHeaders {
    fn of(attributes: &Attributes) -> Self {
        let mut headers = Self::default();
        for (attribute, value) in attributes {
            let value = value.to_string();
            match attribute {
                Attribute::ContentType => headers.content_type = value,
                Attribute::CacheControl => headers.cache_control = value,
                Attribute::Metadata(name) => drop(headers.notes.insert(name.to_string(), value)),
                _ => {}
            }
        }
        headers
    }

    fn attributes(&self) -> Attributes {
        let value = |text: &str| AttributeValue::from(text.to_owned());
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, value(&self.content_type));
        attributes.insert(Attribute::CacheControl, value(&self.cache_control));
        for (name, note) in &self.notes {
            attributes.insert(Attribute::Metadata(name.clone().into()), value(note));
        }
        attributes
    }
}
