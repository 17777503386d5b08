package scim

// EmailCount is how many e-mails the resource has that an index on Address does not find: 1 where
// Address is the only one, more where a search has to look into the resource.
func (u *User) EmailCount() int {
	emails := u.core.list("emails")
	if len(emails) == 1 && Fold(emails[0].text("value")) != Fold(u.Address()) {
		return 2
	}
	return len(emails)
}
