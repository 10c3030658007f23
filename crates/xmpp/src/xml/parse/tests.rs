//! RFC 6120 sections 4.9.3, 11 and 13.12, and that parsers can be lent.

use super::*;

const HEADER: &str =
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

fn opened(limits: Limits) -> Parser {
    let mut parser = Parser::new(limits);
    assert!(matches!(parser.next(&mut HEADER.as_bytes()), Ok(Some(StreamEvent::Open(_)))));
    parser
}

/// All that `text` gives behind a header, up to the first error.
fn parse(text: impl AsRef<[u8]>) -> (Vec<StreamEvent>, Option<ParseError>) {
    drain(&mut opened(Limits::BEFORE_AUTHENTICATION), text.as_ref())
}

fn drain(parser: &mut Parser, mut input: &[u8]) -> (Vec<StreamEvent>, Option<ParseError>) {
    let mut events = Vec::new();
    loop {
        match parser.next(&mut input) {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
    }
}

fn error(text: impl AsRef<[u8]>) -> Option<ParseError> {
    parse(text).1
}

/// Feeds the same piece again and again; how many bytes were taken before it was refused.
fn endless(start: &str, piece: &str) -> (usize, ParseError) {
    let mut parser = opened(Limits::BEFORE_AUTHENTICATION);
    assert_eq!(parser.next(&mut start.as_bytes()), Ok(None));
    for taken in (start.len()..).step_by(piece.len()) {
        if let Err(error) = parser.next(&mut piece.as_bytes()) {
            return (taken, error);
        }
    }
    unreachable!("the loop has no end of its own")
}

#[test]
fn s11_7_stanzas_come_out_whole_however_the_bytes_are_cut() {
    let stream = format!(
        "{HEADER}<message to='a@b'>\n<body>x &lt; y<![CDATA[ & z]]></body></message> \n <a:r xmlns:a='u:r'/></stream:stream>"
    );
    let whole = drain(&mut Parser::default(), stream.as_bytes());
    assert_eq!(whole.0.len(), 4);
    assert_eq!(
        whole.0[1],
        StreamEvent::Stanza(Element::parse("<message to='a@b'>\n<body>x &lt; y &amp; z</body></message>").unwrap())
    );
    assert_eq!(whole.0[2], StreamEvent::Stanza(Element::new("r", Ns::Other("u:r".into()))));
    assert_eq!(whole.0[3], StreamEvent::Close);
    for size in 1..20 {
        let mut parser = Parser::default();
        let events: Vec<_> = stream.as_bytes().chunks(size).flat_map(|cut| drain(&mut parser, cut).0).collect();
        assert_eq!(events, whole.0, "in pieces of {size}");
    }
}

#[test]
fn s4_6_1_white_space_between_stanzas_is_nothing() {
    let (events, error) = parse(" ".repeat(100_000) + "\r\n\t<presence/>\n");
    assert_eq!((events.len(), error), (1, None));
    assert_eq!(error_of_text("presence"), Some(ParseError::Stray));
    // Only the start tag: what belongs to it never ends.
    assert_eq!(error_of_text("<stream:stream version='1.0'>"), Some(ParseError::HeaderAgain));
}

fn error_of_text(text: &str) -> Option<ParseError> {
    error(format!("<presence/>{text}<presence/>"))
}

#[test]
fn s4_9_3_13_not_well_formed() {
    for text in [
        "<a></b>",
        "<a",
        "<a b></a>",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<a>\u{1}</a>",
        "<p:a/>",
        "<a p:b=''/>",
        "<a xmlns:p=''/>",
        "<a xmlns:p='u' xmlns:p='u'/>",
        "<a xmlns:p='u' xmlns:q='u' p:x='' q:x=''/>",
        "<xmlns:a/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a>]]></a>",
        "<a>&#0;</a>",
        "< a/>",
        "<1/>",
        "<a:b:c/>",
        "</stream>",
    ] {
        let expected = if text == "<a" { None } else { Some(ParseError::NotWellFormed) };
        assert_eq!(error(text), expected, "{text}");
    }
    let http = Parser::default().next(&mut &b"GET / HTTP/1.1\r\n\r\n"[..]);
    assert_eq!(http, Err(ParseError::NotWellFormed));
}

#[test]
fn s11_1_restricted_xml() {
    for text in [
        "<!-- a -->",
        "<a><!-- a --></a>",
        "<?php x ?>",
        "<a><?x?></a>",
        "<a>&nbsp;</a>",
        "<a b='&nbsp;'/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]>",
        "<a><!ENTITY x 'y'></a>",
    ] {
        assert_eq!(error(text), Some(ParseError::Restricted), "{text}");
    }
    let dtd = "<?xml version='1.0'?><!DOCTYPE stream [<!ENTITY x 'y'>]>";
    assert_eq!(Parser::default().next(&mut dtd.as_bytes()), Err(ParseError::Restricted));
}

#[test]
fn s11_6_unsupported_encoding() {
    assert_eq!(error(b"<a>\xff</a>"), Some(ParseError::Encoding));
    let latin = "<?xml version='1.0' encoding='iso-8859-1'?><stream:stream>";
    assert_eq!(Parser::default().next(&mut latin.as_bytes()), Err(ParseError::Encoding));
}

#[test]
fn s13_12_nested_tags_end_at_the_depth_that_is_allowed() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert_eq!(parse(nested(64)).0.len(), 1);
    assert_eq!(error(nested(65)), Some(ParseError::TooLarge));
    assert_eq!(error("<a>".repeat(20_000)), Some(ParseError::TooLarge));
    let mut parser = opened(Limits { depth: 64, ..Limits::AUTHENTICATED });
    drain(&mut parser, "<a>".repeat(20_000).as_bytes());
    assert!(parser.work.is_none(), "a parser that refused keeps nothing");
}

#[test]
fn s13_12_nothing_endless_is_taken_in() {
    let most = Limits::BEFORE_AUTHENTICATION.stanza_bytes as usize;
    for (start, piece) in [
        ("<a b='", "x"),
        ("<a", "x"),
        ("<a b", "x"),
        ("<a", " "),
        ("<a>", "text"),
        ("<a>", " "),
        ("<a>", "&amp;"),
        ("<a><![CDATA[", "x"),
        ("<a>", "<b/>"),
        ("<a b='1'", "          "),
    ] {
        let (taken, error) = endless(start, piece);
        assert_eq!(error, ParseError::TooLarge, "{start} {piece} …");
        assert!(taken <= most, "{start} {piece} … was refused only after {taken} bytes");
    }
}

#[test]
fn s13_12_a_header_without_end_is_refused() {
    let mut parser = Parser::default();
    let long = format!("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' {}", " ".repeat(20_000));
    assert_eq!(parser.next(&mut long.as_bytes()), Err(ParseError::TooLarge));
    assert_eq!(parser.next(&mut &b">"[..]), Err(ParseError::TooLarge), "once refused, everything is");
}

#[test]
fn s13_12_attributes_and_declarations_are_counted() {
    let attrs = |n: usize| (0..n).map(|i| format!(" a{i}=''")).collect::<String>();
    let declarations = |n: usize| (0..n).map(|i| format!(" xmlns:a{i}='u'")).collect::<String>();
    assert_eq!(error(format!("<a{}{}/>", attrs(64), declarations(64))), None);
    assert_eq!(error(format!("<a{}/>", attrs(65))), Some(ParseError::TooLarge));
    assert_eq!(error(format!("<a{}/>", declarations(65))), Some(ParseError::TooLarge));
}

#[test]
fn s13_12_a_stanza_may_be_as_large_as_allowed_and_no_larger() {
    let stanza = |bytes: usize| format!("<a>{}</a>", "x".repeat(bytes - 7));
    let two = stanza(10_000) + &stanza(10_000);
    assert_eq!(parse(&two).0.len(), 2, "each stanza counts for itself");
    assert_eq!(error(stanza(10_001)), Some(ParseError::TooLarge));
    let mut parser = opened(Limits::BEFORE_AUTHENTICATION);
    parser.set_limits(Limits::AUTHENTICATED);
    assert_eq!(drain(&mut parser, stanza(262_144).as_bytes()).0.len(), 1);
}

#[test]
fn s4_8_2_the_content_namespace_of_a_server_stream_reads_as_client_content() {
    let mut parser = Parser::default();
    let header =
        "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server' xmlns:db='jabber:server:dialback'>";
    parser.next(&mut header.as_bytes()).unwrap();
    assert_eq!((parser.content(), parser.bound("db")), (ns::SERVER, Some(ns::DIALBACK)));
    let (events, _) = drain(&mut parser, b"<message/><db:result/><message xmlns='jabber:client'/></s:stream>");
    let names: Vec<_> = events
        .iter()
        .map(|event| match event {
            StreamEvent::Stanza(element) => element.ns(),
            _ => "",
        })
        .collect();
    assert_eq!(names, [ns::CLIENT, ns::DIALBACK, ns::CLIENT, ""]);
    // On a client stream it is what it is.
    assert_eq!(Element::parse("<message xmlns='jabber:server'/>").unwrap().ns(), ns::SERVER);
}

#[test]
fn inner_declarations_end_with_their_element() {
    let stanza =
        Element::parse("<a xmlns:p='u:1'><p:b xmlns:p='u:2' p:x='1'><p:c xmlns=''><d/></p:c></p:b><p:e/><f/></a>");
    let stanza = stanza.unwrap();
    let children: Vec<_> = stanza.children().map(|c| (c.name(), c.ns())).collect();
    assert_eq!(children, [("b", "u:2"), ("e", "u:1"), ("f", ns::CLIENT)]);
    let b = stanza.children().next().unwrap();
    assert_eq!(b.attrs()[0].ns.as_str(), "u:2");
    assert_eq!(b.children().next().unwrap().children().next().unwrap().ns(), "");
}

#[test]
fn a_stream_that_opens_and_closes_in_one_tag() {
    let mut parser = Parser::default();
    let (events, error) = drain(&mut parser, b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams'/>junk");
    assert!(matches!(events.as_slice(), [StreamEvent::Open(_), StreamEvent::Close]));
    assert_eq!(error, None);
}

#[test]
fn parsers_are_lent_between_connections_with_the_same_root() {
    let mut pool = Pool::new();
    let mut romeo = opened(Limits::AUTHENTICATED);
    let mut juliet = opened(Limits::AUTHENTICATED);
    assert!(!Parser::default().rest(&mut pool), "a stream that is not open has a header to finish");
    drain(&mut romeo, b"<mess");
    assert!(!romeo.rest(&mut pool), "half a stanza is not given away");
    drain(&mut romeo, b"age/> ");
    assert!(romeo.rest(&mut pool) && juliet.rest(&mut pool));
    assert_eq!(pool.parsers(), 2);
    assert!(Arc::ptr_eq(romeo.header.as_ref().unwrap(), juliet.header.as_ref().unwrap()), "headers are shared");

    juliet.wake(&mut pool);
    romeo.wake(&mut pool);
    assert_eq!(pool.parsers(), 0);
    assert_eq!(drain(&mut juliet, b"<presence/></stream:stream>").0.len(), 2);
    assert_eq!(drain(&mut romeo, b"<presence/>").0.len(), 1);

    // Without a pool a parser is made anew behind the same header.
    romeo.rest(&mut pool);
    assert_eq!(drain(&mut romeo, b"<stream:error/></stream:stream>").0.len(), 2);
}

#[test]
fn a_parser_at_rest_is_small() {
    assert!(size_of::<Parser>() <= 64, "{} bytes", size_of::<Parser>());
}

/// RFC 6120 8.1.5: what says in which language something is written can be read, set and taken away.
#[test]
fn s8_1_5_xml_lang() {
    let mut message = Element::parse("<message xml:lang='de' lang='x'/>").unwrap();
    assert_eq!((message.get("xml:lang"), message.get("lang")), (Some("de"), Some("x")));
    message.set("xml:lang", "en");
    assert_eq!(message.to_xml(), "<message xml:lang='en' lang='x'/>");
    message.unset("xml:lang");
    assert_eq!(message.to_xml(), "<message lang='x'/>");
    assert_eq!(message.attr("xml:lang", "fr").to_xml(), "<message lang='x' xml:lang='fr'/>");
}
