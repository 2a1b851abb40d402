use super::*;

/// Heads that pass.
const PLAIN: &[&[u8]] = &[
    b"GET http://a.example/x?y=1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET http://A.example:80 HTTP/1.1\r\nHost: a.EXAMPLE\r\nX-Odd: caf\xc3\xa9\r\n\r\n",
    b"GET http://a.example/ HTTP/1.0\r\n\r\n",
    b"POST /llm/openai/v1/x HTTP/1.1\r\nHost: 127.0.0.1:9\r\nContent-Length: 5\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n",
    b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n",
    b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
];

/// Heads that are refused: with each, what it is for.
const ODD: &[(&str, &[u8])] = &[
    (
        "CL and TE",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        "TE and CL",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    ),
    (
        "two CL, different",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ),
    (
        "two CL, the same",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    ),
    (
        "a list of CL",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
    ),
    (
        "a signed CL",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
    ),
    (
        "CL in hexadecimal",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
    ),
    (
        "an empty CL",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    ),
    (
        "a CL beyond all",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    ),
    (
        "CL with an underscore",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\n",
    ),
    (
        "TE twice",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        "TE of another kind",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ),
    (
        "TE in disguise",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    ),
    (
        "TE with a vertical tab",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
    ),
    (
        "TE in HTTP/1.0",
        b"POST http://a/ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        "a space before the colon",
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
    ),
    (
        "a folded field",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: 1\r\n Transfer-Encoding: chunked\r\n\r\n",
    ),
    (
        "a folded field with a tab",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: 1\r\n\tb\r\n\r\n",
    ),
    ("a folded first field", b"GET http://a/ HTTP/1.1\r\n Host: a\r\n\r\n"),
    (
        "a field without a name",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    ),
    (
        "a line without a colon",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    ),
    ("no Host", b"GET /x HTTP/1.1\r\n\r\n"),
    ("no Host in HTTP/1.0", b"GET /x HTTP/1.0\r\n\r\n"),
    ("two Hosts", b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("Host and target differ", b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"),
    ("ports differ", b"GET http://a/ HTTP/1.1\r\nHost: a:81\r\n\r\n"),
    (
        "Host of CONNECT differs",
        b"CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
    ),
    (
        "port of CONNECT differs",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    ),
    ("CONNECT without a port", b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("user information", b"GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n"),
    (
        "a host with a slash in disguise",
        b"GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a host in percent signs",
        b"GET http://%61/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a number for a host",
        b"GET http://2130706433/ HTTP/1.1\r\nHost: 2130706433\r\n\r\n",
    ),
    ("a short address", b"GET http://127.1/ HTTP/1.1\r\nHost: 127.1\r\n\r\n"),
    (
        "a zone",
        b"GET http://[fe80::1%25eth0]/ HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n",
    ),
    ("https in plain", b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("another scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a relative target", b"GET a/b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("the whole server", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("two spaces", b"GET  http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a space in the target", b"GET http://a/ b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a tab in the target", b"GET http://a/\tb HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "high bytes in the target",
        b"GET http://a/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    ("brackets in the path", b"GET http://a/<x> HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "a control character in the query",
        b"GET /?\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    ("a method with odd bytes", b"G(T http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no version", b"GET http://a/\r\nHost: a\r\n\r\n"),
    ("another version", b"GET http://a/ HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("a version in lower case", b"GET http://a/ http/1.1\r\nHost: a\r\n\r\n"),
    ("a bare line feed", b"GET http://a/ HTTP/1.1\nHost: a\r\n\r\n"),
    (
        "a bare carriage return",
        b"GET http://a/ HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    ),
    ("an empty line first", b"\r\nGET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "a zero byte in a value",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    ),
    (
        "a zero byte in the host",
        b"GET http://a/ HTTP/1.1\r\nHost: a\0.b\r\n\r\n",
    ),
    (
        "a zero byte in a name",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
    ),
    (
        "a control character",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
    ),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
];

async fn spoken(bytes: &[u8]) -> Result<Spoken, Unserved> {
    screen(&mut &*bytes).await
}

#[tokio::test]
async fn plain_heads_pass_with_what_comes_behind_them() {
    for head in PLAIN {
        let bytes = [head, b"body".as_slice()].concat();
        assert!(
            matches!(spoken(&bytes).await, Ok(Spoken::One(read)) if read == bytes),
            "{}",
            head.escape_ascii()
        );
    }
}

#[tokio::test]
async fn what_is_odd_in_a_query_stands_behind_percent_signs() {
    for (written, escaped) in [
        ("/q?query=up{job=\"x\"}", "/q?query=up{job=%22x%22}"),
        ("/q?a<b>c?d", "/q?a%3Cb%3Ec?d"),
        ("http://a/?caf\u{e9}=1", "http://a/?caf%C3%A9=1"),
    ] {
        let rest = "HTTP/1.1\r\nHost: a\r\nX: ?\"<>\r\n\r\n?\"";
        let expected = format!("GET {escaped} {rest}").into_bytes();
        let read = spoken(format!("GET {written} {rest}").as_bytes()).await;
        assert!(matches!(read, Ok(Spoken::One(read)) if read == expected), "{written}");
        assert!(escaped.parse::<hyper::Uri>().is_ok());
    }
}

#[tokio::test]
async fn odd_heads_are_refused() {
    for (what, head) in ODD {
        assert!(matches!(spoken(head).await, Err(Unserved::Refused(..))), "{what}");
    }
}

#[tokio::test]
async fn heads_without_an_end_and_heads_without_measure_are_refused() {
    for head in PLAIN {
        for end in 0..head.len() {
            assert_eq!(spoken(&head[..end]).await.err(), Some(Unserved::Ended));
        }
    }
    let long = [b"GET http://a/ HTTP/1.1\r\nX: ".as_slice(), &[b'x'; MAX_HEAD]].concat();
    assert!(matches!(spoken(&long).await, Err(Unserved::Refused(431, _))));
    let many = [
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n".as_slice(),
        &b"X: y\r\n".repeat(200),
        b"\r\n",
    ]
    .concat();
    assert!(matches!(spoken(&many).await, Err(Unserved::Refused(431, _))));
}

#[tokio::test]
async fn http_2_is_told_by_its_preface_alone() {
    let bytes = [PREFACE, b"\0\0\0\x04"].concat();
    assert!(matches!(spoken(&bytes).await, Ok(Spoken::Two(read)) if read == bytes));
    assert!(matches!(
        spoken(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").await,
        Err(Unserved::Refused(..))
    ));
}
