package simulator

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// Person is one user of the provider, with the attributes that the app maps.
type Person struct {
	UserName   string
	GivenName  string
	FamilyName string
	Email      string
	ExternalID string // the provider's own id of the user: 00u… in Okta
	Department string // sent in the enterprise extension; empty is not mapped
	Title      string // empty is not mapped
	Manager    string // the server's id of another person; only Entra sends it

	// ID is what the server answered; empty until the person was assigned. It is what the provider keeps to find the
	// person again.
	ID string
}

func (p Person) displayName() string { return p.GivenName + " " + p.FamilyName }

// People makes n people who are always the same for the same prefix and domain: the first ten of a thousand are the ten
// of a smaller call. Another prefix makes people of other names and addresses. The address is also the userName.
func People(prefix string, n int, domain string) []Person {
	tag := slug(prefix)
	given, family := len(givenNames), len(familyNames) // coprime, so walking both meets every pair
	start := offset(prefix)
	people := make([]Person, 0, max(n, 0))
	for i := range n {
		at := start + i
		first, last := givenNames[at%given], familyNames[at%family]
		local := first.ascii + "." + last.ascii
		if round := i / (given * family); round > 0 {
			local += fmt.Sprint(round + 1)
		}
		if tag != "" {
			local += "." + tag
		}
		email := local + "@" + domain
		people = append(people, Person{
			UserName:   email,
			GivenName:  first.name,
			FamilyName: last.name,
			Email:      email,
			ExternalID: oktaID(email),
			Department: departments[at%len(departments)],
			Title:      titles[at%len(titles)],
		})
	}
	return people
}

// changeJobs moves a person to a better post in another department.
func (p *Person) changeJobs() {
	p.Title = strings.TrimSpace("Senior " + p.Title)
	p.Department = departments[(slices.Index(departments[:], p.Department)+1)%len(departments)]
}

// slug makes a prefix fit for an address. What it has to change gets a hash, so that two prefixes stay two.
func slug(prefix string) string {
	tag := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(prefix))
	if tag == prefix {
		return tag
	}
	hash := fnv.New32a()
	hash.Write([]byte(prefix))
	return strings.Trim(fmt.Sprintf("%s-%08x", strings.Trim(tag, "-"), hash.Sum32()), "-")
}

func offset(prefix string) int {
	hash := fnv.New32a()
	hash.Write([]byte(prefix))
	return int(hash.Sum32() % 1_000_000)
}

// oktaID is 20 characters that begin with 00u, as the ids of Okta's users do.
func oktaID(of string) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(of))
	id := []byte("00u")
	for _, b := range sum[:17] {
		id = append(id, letters[int(b)%len(letters)])
	}
	return string(id)
}

// A spelling is a name and how it is written in an address.
type spelling struct{ name, ascii string }

var (
	departments = [...]string{"Engineering", "Sales", "Finance", "Customer Support", "Legal", "People & Culture", "Forschung und Entwicklung"}
	titles      = [...]string{"Engineer", "Account Manager", "Analyst", "Team Lead", "Counsel", "Designer", "Directeur général", "Director, \"Special\" Projects", "Technician", "Office Manager", "Scientist"}
)

// 47 given and 43 family names, both prime: 2,021 pairs before a number is needed.
var givenNames = [...]spelling{
	{"Mia", "mia"}, {"Ben", "ben"}, {"Zoë", "zoe"}, {"Łukasz", "lukasz"}, {"Priya", "priya"}, {"Søren", "soren"},
	{"Amara", "amara"}, {"José", "jose"}, {"Chloé", "chloe"}, {"Jürgen", "jurgen"}, {"Fatima", "fatima"}, {"Liam", "liam"},
	{"Þóra", "thora"}, {"Mateo", "mateo"}, {"Ayşe", "ayse"}, {"Noah", "noah"}, {"さくら", "sakura"}, {"Olga", "olga"},
	{"Đorđe", "djordje"}, {"Grace", "grace"}, {"Renée", "renee"}, {"Kwame", "kwame"}, {"Ines", "ines"}, {"Tomáš", "tomas"},
	{"Anne-Marie", "anne-marie"}, {"Ravi", "ravi"}, {"Élodie", "elodie"}, {"Oskar", "oskar"}, {"Наталья", "natalya"},
	{"Diego", "diego"}, {"Hana", "hana"}, {"Yusuf", "yusuf"}, {"María José", "mariajose"}, {"Finn", "finn"},
	{"Leïla", "leila"}, {"Ethan", "ethan"}, {"Björk", "bjork"}, {"Samuel", "samuel"}, {"Ștefan", "stefan"},
	{"Nina", "nina"}, {"ليلى", "layla"}, {"Victor", "victor"}, {"Wei", "wei"}, {"Sinéad", "sinead"}, {"Ada", "ada"},
	{"Hugo", "hugo"}, {"Ngozi", "ngozi"},
}

var familyNames = [...]spelling{
	{"Ono", "ono"}, {"O'Brien", "obrien"}, {"García", "garcia"}, {"Müller", "muller"}, {"Nguyễn", "nguyen"}, {"Smith", "smith"},
	{"Kowalski", "kowalski"}, {"Åberg", "aberg"}, {"Okafor", "okafor"}, {"D’Angelo", "dangelo"}, {"Patel", "patel"},
	{"van der Berg", "vanderberg"}, {"Çelik", "celik"}, {"Johnson", "johnson"}, {"Dvořák", "dvorak"}, {"Silva", "silva"},
	{"田中", "tanaka"}, {"Murphy", "murphy"}, {"Lindqvist", "lindqvist"}, {"Haddad", "haddad"}, {"Côté", "cote"},
	{"Petrović", "petrovic"}, {"Mbeki", "mbeki"}, {"Weiß", "weiss"}, {"Иванова", "ivanova"}, {"Rossi", "rossi"},
	{"Sørensen", "sorensen"}, {"Kim", "kim"}, {"Fernández-López", "fernandez-lopez"}, {"Brown", "brown"},
	{"Jónsdóttir", "jonsdottir"}, {"Chen", "chen"}, {"Dubois", "dubois"}, {"Szabó", "szabo"}, {"Abebe", "abebe"},
	{"Moreau", "moreau"}, {"Novák", "novak"}, {"Williams", "williams"}, {"İnan", "inan"}, {"Singh", "singh"},
	{"Ó Súilleabháin", "osuilleabhain"}, {"Keller", "keller"}, {"Park", "park"},
}
