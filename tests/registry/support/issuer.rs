//! An issuer of ID tokens: its discovery document, its keys, accounts, and tokens that it signs as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// A key of an issuer.
pub struct Key {
    pub kid: String,
    algorithm: &'static str,
    private: PKey<Private>,
}

impl Key {
    /// `RS256`, `ES256`, `EdDSA`, or `ES384`, which is not accepted.
    pub fn new(kid: &str, algorithm: &'static str) -> Self {
        let curve = |nid| PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap()).unwrap();
        let private = match algorithm {
            "RS256" => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
            "RS256 of 1024 bits" => PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap(),
            "ES256" => curve(Nid::X9_62_PRIME256V1),
            "ES384" => curve(Nid::SECP384R1),
            "EdDSA" => PKey::generate_ed25519().unwrap(),
            other => panic!("{other}"),
        };
        let algorithm = algorithm.split(' ').next().unwrap();
        Self { kid: kid.to_owned(), algorithm, private }
    }

    /// As the issuer publishes it.
    pub fn public(&self) -> Value {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match self.algorithm {
            "RS256" => {
                let rsa = self.private.rsa().unwrap();
                json!({ "kty": "RSA", "n": encoded(&rsa.n().to_vec()), "e": encoded(&rsa.e().to_vec()) })
            }
            "EdDSA" => json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(&self.private.raw_public_key().unwrap()) }),
            curve => {
                let key = self.private.ec_key().unwrap();
                let (crv, size) = if curve == "ES256" { ("P-256", 32) } else { ("P-384", 48) };
                let (mut x, mut y) = (openssl::bn::BigNum::new().unwrap(), openssl::bn::BigNum::new().unwrap());
                let mut context = BigNumContext::new().unwrap();
                key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
                let [x, y] = [x, y].map(|number| encoded(&number.to_vec_padded(size).unwrap()));
                json!({ "kty": "EC", "crv": crv, "x": x, "y": y })
            }
        };
        for (name, value) in [("kid", &*self.kid), ("alg", self.algorithm), ("use", "sig")] {
            key[name] = value.into();
        }
        key
    }

    /// The public key as PEM, which an attacker has as well.
    pub fn pem(&self) -> Vec<u8> {
        self.private.public_key_to_pem().unwrap()
    }

    /// A token with this header, whatever it says.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.signature(message.as_bytes())))
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "typ": "JWT", "alg": self.algorithm, "kid": self.kid }), claims)
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        match self.algorithm {
            "EdDSA" => Signer::new_without_digest(&self.private).unwrap().sign_oneshot_to_vec(message).unwrap(),
            "RS256" => {
                let mut signer = Signer::new(MessageDigest::sha256(), &self.private).unwrap();
                signer.sign_oneshot_to_vec(message).unwrap()
            }
            curve => {
                let (digest, size) =
                    if curve == "ES256" { (MessageDigest::sha256(), 32) } else { (MessageDigest::sha384(), 48) };
                let der = Signer::new(digest, &self.private).unwrap().sign_oneshot_to_vec(message).unwrap();
                let signature = EcdsaSig::from_der(&der).unwrap();
                [signature.r(), signature.s()].map(|number| number.to_vec_padded(size).unwrap()).concat()
            }
        }
    }
}

/// Header and claims, with a dot between them.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
}

/// Documents by path, and how often they were asked for.
#[derive(Default)]
struct Served {
    documents: Mutex<BTreeMap<String, Value>>,
    requests: AtomicUsize,
}

/// An issuer on loopback.
pub struct Issuer {
    /// The claim `iss`.
    pub url: String,
    base: String,
    pub key: Key,
    served: Arc<Served>,
}

impl Issuer {
    /// At a path of its server, such as `/_services/token` for GitHub.
    pub fn new(path: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::new(Served::default());
        let answering = Arc::clone(&served);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                answer(connection.unwrap(), &answering);
            }
        });
        let issuer = Self { url: format!("{base}{path}"), base, key: Key::new("first", "RS256"), served };
        let discovery = json!({ "issuer": issuer.url, "jwks_uri": format!("{}/jwks", issuer.base) });
        issuer.put(&format!("{}/.well-known/openid-configuration", path.trim_end_matches('/')), discovery);
        issuer.publish(&[&issuer.key]);
        issuer
    }

    /// Has a document at a path.
    pub fn put(&self, path: &str, document: Value) {
        self.served.documents.lock().insert(path.to_owned(), document);
    }

    /// Has these keys, and no others.
    pub fn publish(&self, keys: &[&Key]) {
        self.put("/jwks", json!({ "keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>() }));
    }

    /// Answers everything with 404 from now on.
    pub fn forget_all(&self) {
        self.served.documents.lock().clear();
    }

    /// How many documents were asked for.
    pub fn requests(&self) -> usize {
        self.served.requests.load(Ordering::SeqCst)
    }

    /// The claims of a run at GitHub, for the audience of a registry.
    pub fn of_github(&self, audience: &str) -> Value {
        let mut claims = self.claims(audience);
        let of_run = json!({
            "sub": "repo:acme/widgets:ref:refs/tags/v1.1.0", "repository": "acme/widgets", "repository_id": "77",
            "repository_owner": "acme", "repository_owner_id": "42", "repository_visibility": "private",
            "workflow": "Release", "workflow_ref": "acme/widgets/.github/workflows/release.yml@refs/tags/v1.1.0",
            "job_workflow_ref": "acme/widgets/.github/workflows/release.yml@refs/tags/v1.1.0",
            "ref": "refs/tags/v1.1.0", "ref_type": "tag", "ref_protected": "false", "head_ref": "", "base_ref": "",
            "sha": "0123456789abcdef0123456789abcdef01234567", "run_id": "1234567", "run_number": "10", "run_attempt": "1",
            "actor": "ann-at-github", "actor_id": "5", "event_name": "push", "runner_environment": "github-hosted",
        });
        merge(&mut claims, &of_run);
        claims
    }

    /// The claims of a job at GitLab.
    pub fn of_gitlab(&self, audience: &str) -> Value {
        let mut claims = self.claims(audience);
        let host = self.base.split_once("://").unwrap().1;
        let of_job = json!({
            "sub": "project_path:acme/tools/widgets:ref_type:tag:ref:v1.1.0", "namespace_id": "42",
            "namespace_path": "acme/tools", "project_id": "77", "project_path": "acme/tools/widgets", "user_id": "5",
            "user_login": "ann-at-gitlab", "user_email": "ann@acme.test", "pipeline_id": "88", "pipeline_source": "push",
            "job_id": "99", "ref": "v1.1.0", "ref_type": "tag", "ref_protected": "true", "runner_id": 3,
            "runner_environment": "self-hosted", "sha": "0123456789abcdef0123456789abcdef01234567",
            "project_visibility": "private",
            "ci_config_ref_uri": format!("{host}/acme/tools/widgets//.gitlab-ci.yml@refs/tags/v1.1.0"),
            "ci_config_sha": "0123456789abcdef0123456789abcdef01234567",
        });
        merge(&mut claims, &of_job);
        claims
    }

    /// Claims that every issuer has, of a token that was issued now.
    pub fn claims(&self, audience: &str) -> Value {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let (now, number) = (Utc::now().timestamp(), NUMBER.fetch_add(1, Ordering::SeqCst));
        json!({
            "iss": self.url, "aud": audience, "sub": "somebody", "iat": now, "nbf": now, "exp": now + 300,
            "jti": format!("{number}-of-{}", self.base),
        })
    }
}

/// Sets members of an object; null removes one.
pub fn merge(object: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
}

fn answer(mut connection: TcpStream, served: &Served) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut lines = reader.by_ref().lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    // What was not read would reset the connection.
    let length = headers.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let _ = std::io::copy(&mut reader.take(length.unwrap_or(0)), &mut std::io::sink());
    served.requests.fetch_add(1, Ordering::SeqCst);
    let document = served.documents.lock().get(path).cloned();
    let (status, body) = match document {
        // A text is a redirect.
        Some(Value::String(target)) => (format!("302 Found\r\nLocation: {target}"), String::new()),
        Some(document) => ("200 OK".to_owned(), document.to_string()),
        None => ("404 Not Found".to_owned(), String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // A client that is gone wants no answer.
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body.as_bytes()));
}
