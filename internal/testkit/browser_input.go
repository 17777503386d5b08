package testkit

import (
	"context"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"
)

// Click clicks the middle of an element with the mouse, once it is visible, enabled, standing still and covered by
// nothing. If that leads to another page, it returns when that has loaded.
func (p *Page) Click(selector string) {
	p.t.Helper()
	what := "click " + selector
	place := p.until(what, "target", selector)
	for { // two looks at the same place: it stands still
		again := p.until(what, "target", selector)
		if again == place {
			break
		}
		place = again
	}
	ctx, cancel := p.deadline()
	defer cancel()
	for _, event := range []input.DispatchMouseEventParams{
		{Type: input.DispatchMouseEventTypeMouseMoved},
		{Type: input.DispatchMouseEventTypeMousePressed, Button: input.MouseButtonLeft, Buttons: 1, ClickCount: 1},
		{Type: input.DispatchMouseEventTypeMouseReleased, Button: input.MouseButtonLeft, ClickCount: 1},
	} {
		event.X, event.Y = place.X, place.Y
		if _, err := cdp.Call(ctx, p.tab, input.DispatchMouseEvent, event); err != nil {
			p.fail("%s: %v", what, err)
		}
	}
	p.settle(what)
}

// Fill types a text over what a field holds. A date, a time, a colour or a range is set to a value in HTML's notation.
func (p *Page) Fill(selector, text string) {
	p.t.Helper()
	what := "fill " + selector
	if !p.until(what, "edit", selector, text).Type {
		return
	}
	ctx, cancel := p.deadline()
	defer cancel()
	var err error
	if text == "" {
		err = p.press(ctx, "Delete")
	} else {
		_, err = cdp.Call(ctx, p.tab, input.InsertText, input.InsertTextParams{Text: text})
	}
	if err != nil {
		p.fail("%s: %v", what, err)
	}
}

// Select chooses the option of a select that has this value, else this label.
func (p *Page) Select(selector, value string) {
	p.t.Helper()
	p.until(fmt.Sprintf("select %q in %s", value, selector), "select", selector, value)
	p.settle("select in " + selector)
}

// Press presses keys where the focus is, one after the other: "Enter", "Escape", "ArrowDown", "a", with modifiers
// "Shift+Tab", "Control+k". If that leads to another page, it returns when that has loaded.
func (p *Page) Press(keys ...string) {
	p.t.Helper()
	ctx, cancel := p.deadline()
	defer cancel()
	for _, key := range keys {
		if err := p.press(ctx, key); err != nil {
			p.fail("press %s: %v", key, err)
		}
	}
	p.settle("press " + strings.Join(keys, ", "))
}

// Tab presses the tabulator n times, backwards if n is negative.
func (p *Page) Tab(n int) {
	p.t.Helper()
	key := "Tab"
	if n < 0 {
		key, n = "Shift+Tab", -n
	}
	for range n {
		p.Press(key)
	}
}

// Focused describes the element that has the focus by tag and id, by the text that names it and by its link, each if it
// has one: `a#next "Next page" /users?page=2`, `input#mail "Email"`. Without a focus it is `body`.
func (p *Page) Focused() string {
	p.t.Helper()
	var focused string
	p.ask("look for the focus", &focused, "focused")
	return focused
}

var modifiers = map[string]kb.Modifier{
	"Alt": kb.ModifierAlt, "Control": kb.ModifierCtrl, "Meta": kb.ModifierMeta, "Shift": kb.ModifierShift,
}

// press sends one key, "Shift+Tab", "Enter" or "a".
func (p *Page) press(ctx context.Context, key string) error {
	var held kb.Modifier
	for {
		name, rest, more := strings.Cut(key, "+")
		modifier, known := modifiers[name]
		if !more || !known || rest == "" {
			break
		}
		held |= modifier
		key = rest
	}
	char, err := keyNamed(key)
	if err != nil {
		return err
	}
	for _, event := range kb.Encode(char) {
		event.Modifiers |= int64(held)
		if event.Type == kb.KeyChar && held&^kb.ModifierShift != 0 {
			continue // a command, no text
		}
		if _, err := cdp.Call(ctx, p.tab, input.DispatchKeyEvent, *event); err != nil {
			return err
		}
	}
	return nil
}

func keyNamed(name string) (rune, error) {
	if runes := []rune(name); len(runes) == 1 {
		return runes[0], nil
	}
	if name == "Space" {
		return ' ', nil
	}
	for char, key := range kb.Keys {
		if key.Key == name && !key.Shift {
			return char, nil
		}
	}
	return 0, fmt.Errorf("no key has the name %q", name)
}
