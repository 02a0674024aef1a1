//! `sigbridge dev-cert`.

use super::*;

/// The output of `dev-cert`, without the key and the day, which change each time.
fn dev_cert(folder: &Path, args: &[&str]) -> String {
    let shown = run(folder, &[&["dev-cert"], args].concat());
    let lines = shown.lines().map(|line| match line.split_once("valid until ") {
        Some((before, _)) => format!("{before}valid until DAY\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn dev_cert_prints_the_next_steps() {
    let folder = folder("dev-cert");
    insta::assert_snapshot!(dev_cert(&folder, &[]), @r#"
        exit 0
        --- stdout
        certs/ca.pem         CA certificate (new); install on devices
        certs/ca.key         CA key; keep on this machine
        certs/cert.pem       server certificate, valid until DAY
        certs/key.pem        server key

        names: 127.0.0.1, 127-0-0-1-sig-web.agora.io, localhost, lbs-1-sig.agora.io, lbs-2-sig.agora.io, lbs-3-sig.agora.io, lbs-4-sig.agora.io, lbs-sig.agora.io, lbs.sig.agora.io, lbs100-1-sig.agora.io, lbs100-2-sig.agora.io, lbs100-3-sig.agora.io, lbs100-4-sig.agora.io, *.agora.io
        --- stderr

        Add to the config:

            [listen]
            wss = "127.0.0.1:8002"

            [tls]
            certificate = "certs/cert.pem"
            key = "certs/key.pem"

        A running sigbridge loads the new files within a minute, or immediately on SIGHUP.

        On each device that runs the app, trust certs/ca.pem. Do not distribute the other files.

            Android, iOS, Windows, macOS  install it as a CA certificate
            Chromium and Chrome on Linux  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n sigbridge -i certs/ca.pem
            Node                          NODE_EXTRA_CA_CERTS=certs/ca.pem
            curl                          curl --cacert certs/ca.pem https://localhost:PORT/getaddr
        "#);
    fs::write(
        folder.join("sigbridge.toml"),
        "[tls]\ncertificate = 'tls/cert.pem'\nkey = 'tls/key.pem'\n[discovery]\nadvertise_host = 'bridge.test:8443'\n",
    )
    .expect("a file");
    insta::assert_snapshot!(dev_cert(&folder, &["--config", "sigbridge.toml", "--days", "7"]), @r#"
        exit 0
        --- stdout
        certs/ca.pem         CA certificate (unchanged); install on devices
        certs/ca.key         CA key; keep on this machine
        certs/cert.pem       server certificate, valid until DAY
        certs/key.pem        server key

        names: bridge.test, 127.0.0.1, 127-0-0-1-sig-web.agora.io, localhost, lbs-1-sig.agora.io, lbs-2-sig.agora.io, lbs-3-sig.agora.io, lbs-4-sig.agora.io, lbs-sig.agora.io, lbs.sig.agora.io, lbs100-1-sig.agora.io, lbs100-2-sig.agora.io, lbs100-3-sig.agora.io, lbs100-4-sig.agora.io, *.agora.io
        --- stderr

        Add to the config:

            [tls]
            certificate = "certs/cert.pem"
            key = "certs/key.pem"

        A running sigbridge loads the new files within a minute, or immediately on SIGHUP.

        Devices that already trust certs/ca.pem need no change.
        "#);
}

#[test]
fn dev_cert_overwrites_nothing_by_accident() {
    let folder = folder("dev-cert-again");
    let certs = folder.join("certs");
    fs::create_dir_all(&certs).expect("a folder");
    fs::write(certs.join("cert.pem"), "from elsewhere").expect("a file");
    insta::assert_snapshot!(dev_cert(&folder, &[]), @r"
        exit 64
        --- stdout
        --- stderr
        error: certs/cert.pem was not made by `sigbridge dev-cert`

        hint: choose another directory with --out, or overwrite it with --force
        ");
    assert!(dev_cert(&folder, &["--force"]).starts_with("exit 0\n"));
    insta::assert_snapshot!(dev_cert(&folder, &["--host", "bank.example", "--host", "8.8.8.8"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: the CA in certs/ca.pem may not sign for bank.example, 8.8.8.8

        hint: it is limited to the names that it was made for: --new-ca makes one for these, which devices have to trust anew
        ");
    assert!(dev_cert(&folder, &["--host", "bank.example", "--new-ca"]).starts_with("exit 0\n"));
    fs::remove_file(certs.join("ca.key")).expect("it was there");
    insta::assert_snapshot!(dev_cert(&folder, &[]), @r"
        exit 64
        --- stdout
        --- stderr
        error: certs/ca.pem and certs/ca.key are not a CA of `sigbridge dev-cert`: cannot read certs/ca.key: No such file or directory (os error 2)

        hint: choose another directory with --out, or replace both with --new-ca --force
        ");
    assert!(dev_cert(&folder, &["--new-ca"]).starts_with("exit 64\n"));
    assert!(dev_cert(&folder, &["--new-ca", "--force"]).starts_with("exit 0\n"));
    fs::write(certs.join("ca.key"), fs::read(certs.join("key.pem")).expect("a key")).expect("a file");
    insta::assert_snapshot!(dev_cert(&folder, &[]), @r"
        exit 64
        --- stdout
        --- stderr
        error: certs/ca.pem and certs/ca.key are not a CA of `sigbridge dev-cert`: the files do not match, or another program created them

        hint: choose another directory with --out, or replace both with --new-ca --force
        ");
    insta::assert_snapshot!(dev_cert(&folder, &["--host", "https://a.example"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: invalid value 'https://a.example' for '--host <NAME>': expected a host name such as "bridge.example.com", or an IP address

        For more information, try '--help'.
        "#);
    insta::assert_snapshot!(dev_cert(&folder, &["--days", "398"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: invalid value '398' for '--days <N>': 398 is not in 1..=397

        For more information, try '--help'.
        ");
    insta::assert_snapshot!(dev_cert(&folder, &["--out", "certs/cert.pem/below"]), @r"
        exit 1
        --- stdout
        --- stderr
        error: cannot write certs/cert.pem/below/ca.key: Not a directory (os error 20)

        hint: choose a writable directory with --out
        ");
}
