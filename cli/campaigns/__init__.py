"""`regulars campaigns`: how does what marketers define reach people, and what did it bring?"""
