package workflow

import "testing"

// TestCells: how wide a terminal draws what people put into names and questions.
func TestCells(t *testing.T) {
	for text, want := range map[string]int{
		"plain": 5, "": 0, "é": 1, "e\u0301": 1, "…": 1, "✓": 1, "✅": 2, "❌⭐": 4, "漢字": 4, "한글": 4, "ｱ": 1, "Ａ": 2,
		"🎉": 2, "\U0001f321": 1, "a\u200bb": 2,
	} {
		if got := cellsOf(text); got != want {
			t.Errorf("%q takes %d cells, not %d", text, got, want)
		}
	}
	if got := cut("✅✅✅ done", 5, "…"); got != "✅✅…" {
		t.Errorf("cut: %q", got)
	}
}
