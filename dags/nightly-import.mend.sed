# The operator's edit of spec.next.yaml, for `sed -i -f`: the flag, a timeout and a comment.
s/--field-seperator/--field-separator/
s/timeout_sec: 30/timeout_sec: 60/
s/^  # No database is at hand either: .*/  # Until there is a database, the sums are loaded into a file./
