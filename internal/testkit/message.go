package testkit

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// Message is a mail as the sink got it: the envelope, the raw bytes, and what a mail program would show.
type Message struct {
	From       string   // envelope
	Recipients []string // envelope
	Raw        []byte
	At         time.Time

	Header    mail.Header
	To        string // the address alone, where the header holds exactly one
	Subject   string // decoded
	MessageID string // with its angle brackets
	Text      string // decoded, lines end in \n
	HTML      string
	Malformed string // why the parsed fields are empty, else ""
}

func parseMessage(raw []byte) Message {
	m := Message{Raw: raw, At: time.Now()}
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		m.Malformed = err.Error()
		return m
	}
	m.Header = parsed.Header
	m.MessageID = parsed.Header.Get("Message-ID")
	m.To = parsed.Header.Get("To")
	if list, err := parsed.Header.AddressList("To"); err == nil && len(list) == 1 {
		m.To = list[0].Address
	}
	m.Subject = parsed.Header.Get("Subject")
	if subject, err := new(mime.WordDecoder).DecodeHeader(m.Subject); err == nil {
		m.Subject = subject
	}
	if err := m.readPart(textproto.MIMEHeader(parsed.Header), parsed.Body); err != nil {
		m.Malformed = err.Error()
	}
	return m
}

// readPart goes down the tree of parts and keeps the first plain text and the first HTML that is no attachment.
func (m *Message) readPart(header textproto.MIMEHeader, body io.Reader) error {
	contentType := header.Get("Content-Type")
	if contentType == "" {
		contentType = "text/plain"
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	if strings.HasPrefix(kind, "multipart/") {
		reader := multipart.NewReader(body, params["boundary"])
		for {
			part, err := reader.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := m.readPart(part.Header, part); err != nil {
				return err
			}
		}
	}
	if disposition, _, _ := mime.ParseMediaType(header.Get("Content-Disposition")); disposition == "attachment" {
		return nil
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch {
	case kind == "text/plain" && m.Text == "":
		m.Text = text
	case kind == "text/html" && m.HTML == "":
		m.HTML = text
	}
	return nil
}
