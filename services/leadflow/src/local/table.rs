//! Plain tables on a terminal.

/// Rows of equal length as aligned columns, two spaces apart; the last column may be of any width.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::from("  ");
        for (index, (width, cell)) in widths.iter().zip(row).enumerate() {
            line.push_str(cell);
            if index + 1 < N {
                line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn cells_are_aligned_by_characters() {
        let rows = [["é", "one"], ["long", "two"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "  é     one\n  long  two\n");
    }
}
