package sso

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"outpost/models"
)

// seal hides a signing key of a connection with the installation's secret.
func (g *Gate) seal(connectionID string, key crypto.Signer) ([]byte, error) {
	if g.bare {
		return nil, &models.Error{Code: models.Invalid, Detail: "the provider wants signed requests, and their key cannot be kept: set SECRET_KEY to that of the installation"}
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	box, err := g.box()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	rand.Read(nonce)
	return box.Seal(nonce, nonce, plain, []byte(connectionID)), nil
}

// open is what seal hid.
func (g *Gate) open(connectionID string, sealed []byte) (crypto.Signer, error) {
	box, err := g.box()
	if err != nil {
		return nil, err
	}
	var plain []byte
	if len(sealed) > box.NonceSize() {
		plain, err = box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], []byte(connectionID))
	}
	if err != nil || plain == nil {
		return nil, &models.Error{Code: models.Invalid, Detail: "the key for signed requests cannot be read, perhaps because SECRET_KEY has changed: an owner switches signing off and on again, and gives the provider the new metadata", Err: err}
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("read the key for signed requests: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key for signed requests cannot sign")
	}
	return signer, nil
}

func (g *Gate) box() (cipher.AEAD, error) {
	block, err := aes.NewCipher(g.sealKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// toPEM writes certificates one after the other.
func toPEM(all ...*x509.Certificate) string {
	var text []byte
	for _, c := range all {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return string(text)
}

// fromPEM reads what toPEM wrote.
func fromPEM(text string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all, nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read a certificate: %w", err)
		}
		all = append(all, c)
	}
}
