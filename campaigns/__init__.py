"""What do marketers define, and how does it reach people?"""
