"""What differs between text classification and other tasks: columns, collation, head, metrics, report."""
