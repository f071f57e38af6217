//! Certificates made by openssl, in a directory of their own: an authority, what it signed, and what others did.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::running::Directory;
use crate::running::success;

/// What a new key is: ECDSA with P-256, without a passphrase.
const KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];
const SERVER: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";
const CLIENT: &str = "subjectAltName=DNS:client.example,email:client@example.org,URI:spiffe://example/client,IP:192.0.2.7";

pub(super) struct Pki(Directory);

impl Pki {
    /// `ca`, `server` and `client` signed by it, `other` signed by `otherca`, and `alone`, which signed itself.
    pub(super) fn new() -> Self {
        let pki = Self(Directory::new());
        pki.authority("ca");
        pki.authority("otherca");
        pki.authority("alone");
        pki.signed("server", "ca", SERVER);
        pki.signed("client", "ca", CLIENT);
        pki.signed("other", "otherca", CLIENT);
        let trusted = [pki.read("ca.crt"), pki.read("alone.crt")].concat();
        pki.write("trusted.pem", &trusted);
        pki.write("garbage.pem", "-----BEGIN NOTHING-----\n");
        pki
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.0
    }

    /// Replaces a file as programs do that take care.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (new, path) = (self.path().join("new"), self.path().join(name));
        fs::write(&new, text).unwrap();
        fs::rename(&new, &path).unwrap();
        path
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let output = command.current_dir(self.path()).args(arguments).output();
        success(output.unwrap(), "openssl");
    }

    fn authority(&self, name: &str) {
        let (key, certificate, subject) = files(name);
        let new = ["-keyout", &key, "-out", &certificate, "-subj", &subject];
        self.openssl(&[&["req", "-x509", "-days", "30"], &KEY[..], &new].concat());
    }

    /// A certificate with these names, and its key.
    pub(super) fn signed(&self, name: &str, authority: &str, names: &str) {
        self.signed_for(name, authority, names, "30");
    }

    /// One that is valid for so many days; with 0 until now.
    pub(super) fn signed_for(&self, name: &str, authority: &str, names: &str, days: &str) {
        let (key, certificate, subject) = files(name);
        let request = format!("{name}.csr");
        let new = ["-keyout", &key, "-out", &request, "-subj", &subject];
        self.openssl(&[&["req"], &KEY[..], &new].concat());
        let more = self.write(
            &format!("{name}.ext"),
            &format!("{names}\nbasicConstraints=CA:FALSE\n"),
        );
        let (by_key, by, _) = files(authority);
        let sign = [
            "x509",
            "-req",
            "-days",
            days,
            "-in",
            &request,
            "-out",
            &certificate,
        ];
        let by = [
            "-CA",
            &by,
            "-CAkey",
            &by_key,
            "-CAcreateserial",
            "-extfile",
            more.to_str().unwrap(),
        ];
        self.openssl(&[&sign[..], &by].concat());
    }

    /// `expired`, which is so from now on.
    pub(super) fn expire(&self) {
        self.signed_for("expired", "ca", CLIENT, "0");
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
}

fn files(name: &str) -> (String, String, String) {
    (
        format!("{name}.key"),
        format!("{name}.crt"),
        format!("/CN={name}"),
    )
}
