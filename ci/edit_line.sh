# Puts a bug into a source: one line of one function. To be sourced.
# shellcheck shell=sh
# edit_line FILE FUNCTION OLD NEW: prints the file with NEW in place of OLD in the first line that has OLD after the
# function's head; fails if there is none.
edit_line() {
  FUNCTION=$2 OLD=$3 NEW=$4 awk '
    BEGIN { head = "^([a-z].*[ *])?" ENVIRON["FUNCTION"] "\\(" }
    !inside && $0 ~ head && !/;$/ { inside = 1 }
    inside && !made && (at = index($0, ENVIRON["OLD"])) {
      $0 = substr($0, 1, at - 1) ENVIRON["NEW"] substr($0, at + length(ENVIRON["OLD"])); made = 1
    }
    { print }
    END { exit !made }' "$1"
}
