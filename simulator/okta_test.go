package simulator

import "testing"

func TestNewRefusesWhatOktaRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ base, token, style, want string }{
		"no scheme":  {"outpost.test/scim/v2/c", "t", "put", "must start with https:// or http://"},
		"scheme":     {"ftp://outpost.test/scim", "t", "put", "must start with https:// or http://"},
		"no host":    {"https:///scim", "t", "put", "name a host"},
		"underscore": {"https://out_post.test/scim", "t", "put", "has an underscore, which Okta does not accept"},
		"query":      {"https://outpost.test/scim?x=1", "t", "put", "must not have a query"},
		"unreadable": {"https://outpost.test/%zz", "t", "put", "cannot be read"},
		"no token":   {"https://outpost.test/scim", " ", "put", "the token is empty"},
		"bad token":  {"https://outpost.test/scim", "a\nb", "put", "no HTTP header can carry"},
		"style":      {"https://outpost.test/scim", "t", "post", `style "post" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(test.base, test.token, Style(test.style))
			fails(t, err, test.want)
		})
	}
	o, err := New(" https://outpost.test/scim/ ", " t\n", "PATCH")
	ok(t, err)
	if o.BaseURL != "https://outpost.test/scim" || o.Token != "t" || o.Style != Patch {
		t.Errorf("org is %+v", o)
	}
	if o, _ := New("https://outpost.test/scim", "t", ""); o.Style != Put {
		t.Errorf("style is %q", o.Style)
	}
}
