"""What a candidate release must satisfy before it is promoted, each gate explaining itself."""
