//! A CA that can sign for few names, and certificates of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use crate::cli::dev_cert::names::Name;
use rtm::time::Time;

/// Long, because CAs are installed on phones by hand.
const CA_DAYS: u32 = 3650;
/// Allowance for devices with a slow clock.
const BACKDATED: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reserved names, and the names that the SDKs connect to.
const HOSTS: [&str; 7] = ["agora.io", "localhost", "test", "local", "internal", "lan", "home.arpa"];
/// Loopback, private, carrier-grade NAT and link-local addresses.
const NETWORKS: [([u8; 4], u8); 6] = [
    ([127, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([100, 64, 0, 0], 10),
    ([169, 254, 0, 0], 16),
];

/// CA certificate and signing key.
pub struct Ca {
    pub certificate: String,
    key: KeyPair,
}

/// Server certificate and key.
pub struct ServerCertificate {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
    /// Last day of validity, e.g. `2027-01-31`.
    pub until: String,
}

impl Ca {
    /// Creates a CA with name constraints: `names`, the SDKs' names and private networks. A stolen key cannot sign
    /// for other hosts.
    ///
    /// # Errors
    /// Errors of the certificate library, which are not expected.
    pub fn new(names: &[Name], now: Time) -> Result<Self> {
        let key = KeyPair::generate().context("cannot generate a key")?;
        let mut params = ca_params(&key, now);
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: permitted(names),
            excluded_subtrees: Vec::new(),
        });
        let certificate = params.self_signed(&key).context("cannot create a CA")?.pem();
        Ok(Self { certificate, key })
    }

    /// Parses a CA from its PEM texts.
    ///
    /// # Errors
    /// The certificate and key are not a pair of [`Ca::new`].
    pub fn from_pem(certificate: String, key: &str, now: Time) -> Result<Self> {
        // The library's error might show a part of the key.
        let key = KeyPair::from_pem(key).map_err(|_| anyhow!("the file holds no usable key"))?;
        let ca = Self { certificate, key };
        ca.try_name(&Name::Host("localhost".into()), now)
            .map_err(|_| anyhow!("the files do not match, or another program created them"))?;
        Ok(ca)
    }

    pub fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// Returns the names outside of the CA's name constraints.
    pub fn forbidden<'n>(&self, names: &'n [Name], now: Time) -> Vec<&'n Name> {
        let is_forbidden = |name: &&Name| self.try_name(name, now).is_err();
        names.iter().filter(is_forbidden).collect()
    }

    /// Creates a certificate and verifies it for every name with the CA as root.
    ///
    /// # Errors
    /// A name that fails verification, or an error of the library.
    pub fn sign(&self, names: &[Name], now: Time, days: u32) -> Result<ServerCertificate> {
        let key = KeyPair::generate().context("cannot generate a key")?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(alt_name).collect::<Result<_>>()?;
        params.distinguished_name = subject("sigbridge dev-cert".to_owned());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, now, days);
        let issuer = Issuer::new(ca_params(&self.key, now), &self.key);
        let certificate = params.signed_by(&key, &issuer).context("cannot sign")?;
        for name in names {
            let accepted = self.verify(certificate.der(), name, now);
            accepted.with_context(|| format!("clients would not accept the certificate for {name}"))?;
        }
        Ok(ServerCertificate {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            until: params.not_after.date().to_string(),
        })
    }

    /// Returns true if a certificate for this name verifies.
    fn try_name(&self, name: &Name, now: Time) -> Result<()> {
        self.sign(std::slice::from_ref(name), now, 1).map(drop)
    }

    fn verify(&self, certificate: &CertificateDer<'_>, name: &Name, now: Time) -> Result<()> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes())?)?;
        let provider = Arc::new(default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        let server = match name {
            Name::Host(host) => ServerName::try_from(host.replacen('*', "any", 1))?,
            Name::Ip(ip) => ServerName::from(*ip),
        };
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.as_millis()));
        verifier.verify_server_cert(certificate, &[], &server, &[], now)?;
        Ok(())
    }
}

/// Everything except the constraints derives from the key, so the key identifies a CA.
fn ca_params(key: &KeyPair, now: Time) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let id: String = params
        .key_identifier(key)
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    params.distinguished_name = subject(format!("sigbridge development CA {id}"));
    valid(&mut params, now, CA_DAYS);
    params
}

fn permitted(names: &[Name]) -> Vec<GeneralSubtree> {
    let mut hosts: Vec<&str> = HOSTS.to_vec();
    let mut networks: Vec<(IpAddr, u8)> = NETWORKS
        .iter()
        .map(|(ip, bits)| (Ipv4Addr::from(*ip).into(), *bits))
        .collect();
    for name in names {
        match name {
            Name::Host(host) => hosts.push(host.strip_prefix("*.").unwrap_or(host)),
            Name::Ip(ip) => networks.push((*ip, if ip.is_ipv4() { 32 } else { 128 })),
        }
    }
    let is_below = |host: &str, above: &&str| host.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'));
    let all = hosts.clone();
    hosts.retain(|host| !all.iter().any(|above| is_below(host, above)));
    hosts.sort_unstable();
    hosts.dedup();
    let hosts = hosts.into_iter().map(|host| GeneralSubtree::DnsName(host.into()));
    let networks = networks.into_iter();
    let networks = networks.map(|(ip, bits)| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, bits)));
    hosts.chain(networks).collect()
}

fn alt_name(name: &Name) -> Result<SanType> {
    Ok(match name {
        Name::Host(host) => SanType::DnsName(host.as_str().try_into()?),
        Name::Ip(ip) => SanType::IpAddress(*ip),
    })
}

fn subject(name: String) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "sigbridge");
    subject.push(DnType::CommonName, name);
    subject
}

fn valid(params: &mut CertificateParams, now: Time, days: u32) {
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs()) - BACKDATED;
    params.not_after = params.not_before + DAY * days;
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_795_000_000_000);

    fn name(text: &str) -> Name {
        Name::parse(text).expect(text)
    }

    /// Asserts whether a CA with constraints `made_for` may sign for a name.
    fn check(made_for: &[&str], requested: &str, allowed: bool) {
        let made_for: Vec<Name> = made_for.iter().map(|text| name(text)).collect();
        let ca = Ca::new(&made_for, NOW).expect("a CA");
        let signed = ca.sign(&[name(requested)], NOW, 397);
        assert_eq!(signed.is_ok(), allowed, "{made_for:?} {requested}: {:?}", signed.err());
        assert_eq!(ca.forbidden(&[name(requested)], NOW).is_empty(), allowed, "{requested}");
    }

    #[test]
    fn the_ca_is_limited() {
        check(&[], "127-0-0-1-sig-web.agora.io", true);
        check(&[], "*.agora.io", true);
        check(&[], "lbs.sig.agora.io", true);
        check(&[], "localhost", true);
        check(&[], "laptop.local", true);
        check(&[], "192.168.7.8", true);
        check(&[], "bank.example", false);
        check(&[], "notagora.io", false);
        check(&[], "8.8.8.8", false);
        check(&[], "::1", false);
        check(&["bridge.example.com"], "bridge.example.com", true);
        check(&["bridge.example.com"], "a.bridge.example.com", true);
        check(&["bridge.example.com"], "example.com", false);
        check(&["*.example.com"], "any.example.com", true);
        check(&["8.8.8.8", "2001:db8::1"], "8.8.8.8", true);
        check(&["8.8.8.8", "2001:db8::1"], "2001:db8::1", true);
        check(&["8.8.8.8", "2001:db8::1"], "8.8.4.4", false);
    }

    #[test]
    fn a_ca_is_used_again_with_its_own_key_only() {
        let (ca, other) = (Ca::new(&[], NOW).expect("a CA"), Ca::new(&[], NOW).expect("a CA"));
        assert!(Ca::from_pem(ca.certificate.clone(), &ca.key(), NOW).is_ok());
        assert!(Ca::from_pem(ca.certificate.clone(), &other.key(), NOW).is_err());
        assert!(Ca::from_pem(ca.certificate.clone(), "", NOW).is_err());
        assert!(Ca::from_pem("".into(), &ca.key(), NOW).is_err());
        assert!(Ca::from_pem(ca.key(), &ca.key(), NOW).is_err());
        assert_ne!(ca.certificate, other.certificate);
    }
}
